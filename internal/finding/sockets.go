package finding

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// reading is a thread's read from a socket.
type reading struct {
	// peer is whom it reads from, "host:port" or an address alone; empty where unknown.
	peer string
	// limit is SO_TIMEOUT, 0 for none.
	limit time.Duration
}

// readReadings finds out which threads read from sockets. Errors: that of ctx.
//
// Source: java.net.SocketImpl and its children, sun.nio.ch.NioSocketImpl (JDK 13 and later) and
// java.net.AbstractPlainSocketImpl, which a SocketInputStream refers to: all have a field timeout
// of milliseconds, and a read without one ends with the peer's answer or the connection.
func (h *Heap) readReadings(ctx context.Context) error {
	sockets := map[heap.ObjID]heap.ObjID{} // by thread
	for s := range h.Stacks() {
		t := thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
		if !t.inIO() || !strings.Contains(strings.ToLower(s.Frames[0].Method), "read") {
			continue
		}
		if o := h.socketOf(s); o != 0 {
			sockets[s.Object] = o
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	all := values(sockets)
	slices.Sort(all)
	all = slices.Compact(all)
	limits, err := h.follow(ctx, all, "timeout")
	if err != nil {
		return err
	}
	peers, err := h.peers(ctx, all)
	if err != nil {
		return err
	}
	h.readings = map[heap.ObjID]reading{}
	for t, socket := range sockets {
		if limit, ok := limits[socket]; ok {
			h.readings[t] = reading{peers[socket], time.Duration(int32(limit)) * time.Millisecond}
		}
	}
	return nil
}

// socketOf returns the SocketImpl that the JDK's innermost calls of a stack refer to, or the stream
// that they read from does; 0 if there is none.
func (h *Heap) socketOf(s heap.Stack) heap.ObjID {
	const base = "java.net.SocketImpl"
	for i, f := range s.Frames {
		if !platform(f.Class) {
			return 0
		}
		for _, l := range s.Locals(i) {
			if h.IsSubclass(h.ClassOf(l.Object), base) {
				return l.Object
			}
			if h.Class(l.Object).Name != "java.net.SocketInputStream" {
				continue
			}
			for o := range h.References(l.Object) {
				if h.IsSubclass(h.ClassOf(o), base) {
					return o
				}
			}
		}
	}
	return 0
}

// peers names whom sockets are connected to: by the name that they were resolved from and the
// address, where it is one of IPv4. Errors: that of ctx.
//
// Source: java.net.InetAddress$InetAddressHolder.
func (h *Heap) peers(ctx context.Context, sockets []heap.ObjID) (map[heap.ObjID]string, error) {
	ports, err := h.follow(ctx, sockets, "port")
	if err != nil {
		return nil, err
	}
	addresses, err := h.follow(ctx, sockets, "address", "holder", "address")
	if err != nil {
		return nil, err
	}
	names, err := h.follow(ctx, sockets, "address", "holder", "hostName")
	if err != nil {
		return nil, err
	}
	texts := map[heap.ObjID]heap.ObjID{}
	for socket, name := range names {
		texts[socket] = h.Object(name)
	}
	text, err := h.Strings(ctx, values(texts))
	peers := map[heap.ObjID]string{}
	for _, socket := range sockets {
		a := uint32(addresses[socket])
		host := text[texts[socket]]
		if host == "" && a != 0 {
			host = netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}).String()
		}
		if port := uint16(ports[socket]); host != "" && port != 0 {
			peers[socket] = clip(host, 60) + ":" + strconv.Itoa(int(port))
		}
	}
	return peers, err
}

// words says whom it reads from and for how long at most.
func (r reading) words() string {
	from := ""
	if r.peer != "" {
		from = " of " + r.peer
	}
	if r.limit == 0 {
		return fmt.Sprintf("reads from a socket%s without a time limit", from)
	}
	return fmt.Sprintf("reads from a socket%s for at most %s", from, unit.Duration(r.limit))
}
