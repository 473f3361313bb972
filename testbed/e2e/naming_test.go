package e2e

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// naming counts how well the statements and peers of records agree with the truth.
type naming struct {
	statements, peers named
	wrong             []string
}

// named are the waits of one kind: those long enough to have been looked at, and how
// many of them have their name; the time of all, and that which records tell.
type named struct {
	long, told     int
	ms, toldMs     float64
	times, within  int
	missing        []string
	errorMs, worst float64
}

// compare adds one record that was followed.
func (n *naming) compare(rec *tx.Record, truth harness.Truth) {
	if rec.Samples == 0 {
		return
	}
	said := map[string]float64{}
	bars := map[string]float64{}
	for _, q := range rec.SQL {
		said[q.Text], bars[q.Text] = float64(q.Ms), float64(q.ErrorMs)
	}
	for _, p := range rec.Peers {
		said[p.Address] += float64(p.Ms)
		bars[p.Address] = math.Hypot(bars[p.Address], float64(p.ErrorMs))
	}
	peers, parked := map[string]float64{}, map[string]bool{}
	for _, w := range truth.Waits {
		peers[w.Peer] += w.Ms
		parked[w.Peer] = parked[w.Peer] || w.Parked
		if w.SQL != "" {
			text := tx.NormaliseSQL(w.SQL, tx.DialectPostgreSQL)
			n.statements.add(rec, text, w.Ms, said, bars)
			delete(said, text)
		}
	}
	for peer, ms := range peers {
		if !parked[peer] {
			n.peers.add(rec, peer, ms, said, bars)
		}
		delete(said, peer)
	}
	for name := range said {
		n.wrong = append(n.wrong, fmt.Sprintf("%s: %q, did %v", rec.Path, name, truth.Waits))
	}
}

func (n *named) add(rec *tx.Record, name string, ms float64, said, bars map[string]float64) {
	told, ok := said[name]
	n.ms += ms
	n.toldMs += math.Min(told, ms)
	if ms > float64(rec.HiddenMs) {
		n.long++
		if ok {
			n.told++
		} else {
			n.missing = append(n.missing, fmt.Sprintf("%s: %s of %.0f ms, hidden %d; %v", rec.Path, name, ms, rec.HiddenMs, rec.Segments))
		}
	}
	if ok {
		n.times++
		off := math.Abs(told - ms)
		n.errorMs += off
		n.worst = max(n.worst, off-bars[name])
		if off <= bars[name]+smallMs {
			n.within++
		}
	}
}

func (n named) String() string {
	return fmt.Sprintf("%d of %d long ones named, %.1f%% of all their time; times within error bars %d of %d, mean error %.0f ms",
		n.told, n.long, 100*n.toldMs/max(n.ms, 1), n.within, n.times, n.errorMs/float64(max(n.times, 1)))
}

func (n naming) String() string {
	s := fmt.Sprintf("SQL: %v\npeers: %v\nwrong names: %d", n.statements, n.peers, len(n.wrong))
	for _, line := range append(append(append([]string{}, n.wrong...), n.statements.missing...), n.peers.missing...) {
		s += "\n  ! " + line
	}
	return s
}

// assert fails where a name is wrong, or where too many are missing. late is the number
// of looks that were too late to be made: then waits may end before they are followed.
func (n naming) assert(t *testing.T, late float64) {
	t.Helper()
	share := 0.99
	if late > 0 {
		share = 0.5
	}
	assert.Empty(t, n.wrong, "no record names a statement or a peer that the request had nothing to do with")
	// Chance has its part in one.
	assert.GreaterOrEqual(t, float64(n.statements.told+1), share*float64(n.statements.long), "statements are named: %v", n.statements)
}
