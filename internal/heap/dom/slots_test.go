package dom

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// TestSlots: a slot tells a number from a place, also where the place does not fit.
func TestSlots(t *testing.T) {
	successors := make([][]uint32, 101)
	for v := uint32(1); v <= 100; v++ {
		successors[v] = []uint32{v%100 + 1, (v+50)%100 + 1}
	}
	g := graph(t, successors, []uint32{1})
	all := func(run edges.Run) (to []uint32) {
		for w, ok := g.Edges.Next(&run); ok; w, ok = g.Edges.Next(&run) {
			to = append(to, w)
		}
		return to
	}
	for name, last := range map[string]uint32{"near": 100, "some too far": math.MaxUint32 - 100} {
		t.Run(name, func(t *testing.T) {
			s := slots{last: last, edges: g.Edges}
			far := 0
			for v := uint32(1); v <= 100; v++ {
				slot := s.unnumbered(g.Edges.From(v), uint64(v%2))
				if slot == 0 {
					far++
				}
				assert.False(t, s.numbered(slot), "node %d", v)
				assert.Equal(t, successors[v], all(s.run(v, slot)), "node %d", v)
				s.prefetch(slot)
			}
			assert.Equal(t, last != 100, far > 0 && far < 100)
			assert.True(t, s.numbered(1))
			assert.True(t, s.numbered(last))
			assert.True(t, s.numbered(last+1), "no core node")
		})
	}
}

func TestSlotsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tree := &Tree{graph: graph(t, [][]uint32{nil, {2}, {1}}, []uint32{1})}
	_, err := newSlots(ctx, tree)
	require.ErrorIs(t, err, context.Canceled)
}
