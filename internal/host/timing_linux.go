package host

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// The parts of linux/sock_diag.h and linux/inet_diag.h that one question takes.
const (
	sockDiagByFamily = 20
	inetDiagInfo     = 2
	requestBytes     = 56 // struct inet_diag_req_v2
	messageBytes     = 72 // struct inet_diag_msg
	// The offsets of struct tcp_info (linux/tcp.h).
	lastDataSentAt = 44
	lastDataRecvAt = 52
	rttAt          = 68
	leastRTTAt     = 148 // from Linux 4.6 on
	// unmeasured is the least round trip of a connection that has had none, such as one that
	// nobody answers.
	unmeasured = ^uint32(0)
	infoBytes  = 72
	// timingWait bounds the wait for an answer, which the kernel gives at once.
	timingWait = 50 * time.Millisecond
)

// timing asks the kernel for what TCP has measured of connections in our own network
// namespace. Its zero value asks nothing.
type timing struct{ fd int }

// openTiming is a timing that may ask; it asks nothing where the system has no such
// thing.
func openTiming() timing {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return timing{}
	}
	wait := unix.NsecToTimeval(timingWait.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		_ = unix.Close(fd) // it was never used
		return timing{}
	}
	return timing{fd}
}

func (t timing) close() {
	if t.fd > 0 {
		_ = unix.Close(t.fd) // nothing is lost
	}
}

// of is the round trip of a connection, the least of the last minutes, and for how long what it sent last has had no
// answer; zeroes where nobody knows.
func (t timing) of(s jvm.Socket) (rtt, unanswered time.Duration) {
	if t.fd <= 0 {
		return 0, 0
	}
	if err := unix.Sendto(t.fd, question(s), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, 0
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(t.fd, answer, 0)
	if err != nil {
		return 0, 0
	}
	info, ok := tcpInfo(answer[:n], s)
	if !ok {
		return 0, 0
	}
	rtt = roundTrip(info)
	// Both are counted in milliseconds ago.
	sent, received := binary.NativeEndian.Uint32(info[lastDataSentAt:]), binary.NativeEndian.Uint32(info[lastDataRecvAt:])
	if sent < received {
		unanswered = time.Duration(sent) * time.Millisecond
	}
	return rtt, unanswered
}

// roundTrip is the least one that TCP measured, 0 where it has measured none. A server that
// works on a statement acknowledges it late, which is in the mean but not in the least.
func roundTrip(info []byte) time.Duration {
	at := rttAt
	if len(info) >= leastRTTAt+4 {
		at = leastRTTAt
	}
	micros := binary.NativeEndian.Uint32(info[at:])
	if micros == unmeasured {
		return 0
	}
	return time.Duration(micros) * time.Microsecond
}

// question asks for one connection by its ends.
func question(s jvm.Socket) []byte {
	msg := make([]byte, unix.SizeofNlMsghdr+requestBytes)
	binary.NativeEndian.PutUint32(msg[0:], uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	body := msg[unix.SizeofNlMsghdr:]
	body[0] = unix.AF_INET6
	if s.Remote.Addr().Is4() {
		body[0] = unix.AF_INET
	}
	body[1] = unix.IPPROTO_TCP
	body[2] = 1 << (inetDiagInfo - 1)
	binary.NativeEndian.PutUint32(body[4:], ^uint32(0)) // any state
	binary.BigEndian.PutUint16(body[8:], s.Local.Port())
	binary.BigEndian.PutUint16(body[10:], s.Remote.Port())
	copy(body[12:], s.Local.Addr().AsSlice())
	copy(body[28:], s.Remote.Addr().AsSlice())
	binary.NativeEndian.PutUint64(body[48:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return msg
}

// tcpInfo finds struct tcp_info, of at least infoBytes, in an answer about this
// connection.
func tcpInfo(answer []byte, s jvm.Socket) ([]byte, bool) {
	const head = unix.SizeofNlMsghdr
	if len(answer) < head+messageBytes || binary.NativeEndian.Uint16(answer[4:]) != sockDiagByFamily {
		return nil, false
	}
	body := answer[head:]
	ports := netip.AddrPortFrom(s.Local.Addr(), binary.BigEndian.Uint16(body[4:])) == s.Local &&
		netip.AddrPortFrom(s.Remote.Addr(), binary.BigEndian.Uint16(body[6:])) == s.Remote
	for rest := body[messageBytes:]; ports && len(rest) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < unix.SizeofRtAttr || size > len(rest) {
			return nil, false
		}
		if binary.NativeEndian.Uint16(rest[2:]) == inetDiagInfo {
			info := rest[unix.SizeofRtAttr:size]
			return info, len(info) >= infoBytes
		}
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return nil, false
}
