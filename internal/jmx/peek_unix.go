//go:build unix

package jmx

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// silent tells whether a connection at rest is open, with nothing sent unasked.
func silent(conn net.Conn) bool {
	quiet := false
	err := whenReadable(conn, func(fd uintptr) bool {
		quiet = nothingIn(fd)
		return true
	})
	return err == nil && quiet
}

// awaitData returns when there is something to read, if only an error.
func awaitData(conn net.Conn) {
	waited := false
	// Whoever reads then sees the error.
	_ = whenReadable(conn, func(fd uintptr) bool {
		if waited || !nothingIn(fd) {
			return true
		}
		waited = true
		return false
	})
}

// whenReadable calls look with the connection's file until it is content: at once, and
// each time that there may be something new to read.
func whenReadable(conn net.Conn, look func(fd uintptr) bool) error {
	holder, ok := conn.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(look)
}

// nothingIn tells that a read would wait.
func nothingIn(fd uintptr) bool {
	readable, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && readable == 0
}
