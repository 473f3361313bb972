package tx

import (
	"cmp"
	"slices"
	"time"
)

// maxEdges bounds the peers of one target that are told apart; the others are Other.
const maxEdges = 50

// rttFor is how long a round trip stands for a peer that nobody waits for any more.
const rttFor = time.Minute

// Edge sums up the waits of a target's transactions for one peer.
type Edge struct {
	// Peer is its name, or its address without one; Kind that of a Peer.
	Peer, Kind string
	// InFlight is how many transactions wait for it now.
	InFlight int
	// Slow are the slow transactions that waited for it, WaitMs the time they did.
	Slow, WaitMs int64
	// RTT is the network's round trip as of late; 0 where nobody knows.
	RTT   time.Duration
	rttAt time.Time
}

// edgeKey names an edge.
type edgeKey struct{ peer, kind string }

// edges are those of one target.
type edges map[edgeKey]*Edge

// of is the edge to a peer.
func (e edges) of(peer, kind string) *Edge {
	key := edgeKey{peer, kind}
	if e[key] == nil && len(e) >= maxEdges {
		key.peer = Other
	}
	edge := e[key]
	if edge == nil {
		edge = &Edge{Peer: key.peer, Kind: kind}
		e[key] = edge
	}
	return edge
}

// slow counts a slow transaction that has ended.
func (e edges) slow(r *Record) {
	for _, p := range r.Peers {
		edge := e.of(cmp.Or(p.Name, p.Address), p.Kind)
		edge.Slow++
		edge.WaitMs += p.Ms
		edge.took(time.Duration(p.RTTMicros)*time.Microsecond, r.End())
	}
}

// took notes a round trip.
func (e *Edge) took(rtt time.Duration, at time.Time) {
	if rtt > 0 {
		e.RTT, e.rttAt = rtt, at
	}
}

// Edges are the waits for peers so far, in the order of the peers.
func (t *Tracker) Edges(now time.Time) []Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, edge := range t.edges {
		edge.InFlight = 0
		if now.Sub(edge.rttAt) > rttFor {
			edge.RTT = 0
		}
	}
	for _, p := range t.processors {
		if p.open == nil || p.open.gone > 0 || len(p.open.samples) == 0 {
			continue
		}
		last := p.open.samples[len(p.open.samples)-1]
		if last.sight == nil {
			continue
		}
		edge := t.edges.of(last.sight.peer(), kindOf(last.class))
		edge.InFlight++
		edge.took(last.sight.socket.RTT, last.at)
	}
	out := make([]Edge, 0, len(t.edges))
	for _, edge := range t.edges {
		out = append(out, *edge)
	}
	slices.SortFunc(out, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Kind, b.Kind)) })
	return out
}
