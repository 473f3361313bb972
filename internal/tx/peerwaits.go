package tx

import (
	"cmp"
	"slices"
	"time"
)

// maxPeers bounds the peers of one target that are told apart; the others are Other.
const maxPeers = 50

// rttFor is how long a round trip stands for a peer that nobody waits for any more.
const rttFor = time.Minute

// PeerWaits sums up the waits of a target's transactions for one peer.
type PeerWaits struct {
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

// waitKey names a peer.
type waitKey struct{ peer, kind string }

// peerWaits are those of one target.
type peerWaits map[waitKey]*PeerWaits

// of are the waits for a peer.
func (p peerWaits) of(peer, kind string) *PeerWaits {
	key := waitKey{peer, kind}
	if p[key] == nil && len(p) >= maxPeers {
		key.peer = Other
	}
	w := p[key]
	if w == nil {
		w = &PeerWaits{Peer: key.peer, Kind: kind}
		p[key] = w
	}
	return w
}

// slow counts a slow transaction that has ended.
func (p peerWaits) slow(r *Record) {
	for _, peer := range r.Peers {
		w := p.of(cmp.Or(peer.Name, peer.Address), peer.Kind)
		w.Slow++
		w.WaitMs += peer.Ms
		w.took(time.Duration(peer.RTTMicros)*time.Microsecond, r.End())
	}
}

// took notes a round trip.
func (w *PeerWaits) took(rtt time.Duration, at time.Time) {
	if rtt > 0 {
		w.RTT, w.rttAt = rtt, at
	}
}

// PeerWaits are the waits for peers so far, in the order of the peers.
func (t *Tracker) PeerWaits(now time.Time) []PeerWaits {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.peerWaits {
		w.InFlight = 0
		if now.Sub(w.rttAt) > rttFor {
			w.RTT = 0
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
		w := t.peerWaits.of(last.sight.peer(), KindOf(last.class))
		w.InFlight++
		w.took(last.sight.socket.RTT, last.at)
	}
	out := make([]PeerWaits, 0, len(t.peerWaits))
	for _, w := range t.peerWaits {
		out = append(out, *w)
	}
	slices.SortFunc(out, func(a, b PeerWaits) int { return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Kind, b.Kind)) })
	return out
}
