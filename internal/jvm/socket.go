package jvm

import (
	"net/netip"
	"time"
)

// Socket is a TCP connection of a JVM, as the system beside it shows it.
type Socket struct {
	// Local and Remote are its ends; addresses of IPv4 are never written as those of
	// IPv6.
	Local, Remote netip.AddrPort
	// Near says that the JVM is in our own network namespace: its addresses mean the
	// same to us.
	Near bool
	// RTT is the least round trip that TCP measured in the last minutes, 0 where nobody knows.
	RTT time.Duration
	// Unanswered is how long ago the JVM last sent something, where nothing has come
	// back since: so long the other end has owed an answer. 0 otherwise, or where
	// nobody knows.
	Unanswered time.Duration
}
