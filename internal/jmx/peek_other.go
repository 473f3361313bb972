//go:build !unix

package jmx

import "net"

// silent trusts connections at rest here.
func silent(net.Conn) bool { return true }

// awaitData leaves the waiting to whoever reads.
func awaitData(net.Conn) {}
