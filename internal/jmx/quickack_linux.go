package jmx

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAck acknowledges at once what the agent sends. The JDK's HTTP server
// writes header and body apart without TCP_NODELAY: the body waits until the
// header is acknowledged, which the kernel would put off by 40 ms. The option
// is not sticky (tcp(7)), so it is set before each read.
func quickAck(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &quickAckConn{TCPConn: tcp, raw: raw}
}

type quickAckConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (c *quickAckConn) Read(p []byte) (int, error) {
	// An error here costs 40 ms, not the answer.
	_ = c.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
	return c.TCPConn.Read(p)
}
