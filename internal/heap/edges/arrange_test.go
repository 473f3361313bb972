package edges

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestArrange has several goroutines write the nodes in no order, and looks at them before and after
// they were put into order.
func TestArrange(t *testing.T) {
	const n, writers = 3*stretchBlocks*blockNodes + 5, 4
	r := rand.New(rand.NewPCG(1, 7))
	successors := make([][]uint32, n)
	bound := uint64(0)
	for v := range successors {
		many := r.IntN(6) * r.IntN(2)
		if v%20_000 == 7 {
			many = 100_000 // more than a chunk
		}
		for range many {
			successors[v] = append(successors[v], uint32(r.IntN(n)))
		}
		bound += uint64(many)
	}
	order := r.Perm(n)
	var m offheap.Memory
	b, err := NewBuilder(&m, n, bound, writers)
	require.NoError(t, err)
	g := b.Freeze()
	all := make([]*Writer, writers)
	var group sync.WaitGroup
	for i := range all {
		all[i] = b.NewWriter()
		group.Go(func() {
			for k := i; k < n; k += writers { // neighbours in order go to all of them
				var run []uint64
				for _, s := range successors[order[k]] {
					run = append(run, uint64(s))
				}
				if !assert.NoError(t, all[i].Run(uint32(order[k]), 0, run)) {
					return
				}
			}
		})
	}
	group.Wait()
	for _, w := range all {
		w.Close()
	}
	same := func() {
		t.Helper()
		c := g.Cursor()
		for v := range uint32(n) {
			want := distinct(v, successors[v])
			require.Equal(t, want, read(g, g.From(v)), "node %d", v)
			require.Equal(t, want, read(g, c.From(v)), "node %d", v)
		}
	}
	same()
	assert.Greater(t, b.Scattered(), int64(n/blockNodes*rowBytes/2))

	ended, end := context.WithCancel(t.Context())
	end()
	reserved := m.Reserved()
	require.ErrorIs(t, b.Arrange(ended, &m, 3), context.Canceled)
	assert.Equal(t, reserved, m.Reserved())

	require.NoError(t, b.Arrange(t.Context(), &m, 3))
	same()
	for block, d := range g.directory.Items {
		require.Zero(t, d&scattered, "block %d", block)
	}
	g.Free()
	assert.Zero(t, m.Reserved())
}

// TestArrangeInOrder leaves alone what lies in order but for a few blocks.
func TestArrangeInOrder(t *testing.T) {
	b, err := NewBuilder(nil, 100*blockNodes, 1000, 1)
	require.NoError(t, err)
	g := b.Freeze()
	t.Cleanup(g.Free)
	w := b.NewWriter()
	for v := range uint32(100 * blockNodes) {
		if v != 50 {
			require.NoError(t, w.Run(v, 0, []uint64{1}))
		}
	}
	require.NoError(t, w.Run(50, 0, []uint64{2}))
	w.Close()
	before := &g.blob.Items[0]
	require.NoError(t, b.Arrange(t.Context(), nil, 2))
	assert.Same(t, before, &g.blob.Items[0])
	assert.Equal(t, []uint32{2}, read(g, g.From(50)))
}

// TestScatterChanged writes nodes of a block again that was written as a whole, as of a dump that
// changed between two passes.
func TestScatterChanged(t *testing.T) {
	b, err := NewBuilder(nil, 10*blockNodes, 1000, 2)
	require.NoError(t, err)
	g := b.Freeze()
	t.Cleanup(g.Free)
	first, second := b.NewWriter(), b.NewWriter()
	for v := range uint32(2 * blockNodes) {
		require.NoError(t, first.Run(v, 0, []uint64{1}))
	}
	require.NoError(t, second.Run(20, 0, []uint64{2}))
	require.NoError(t, second.Run(25, 0, []uint64{2}))
	first.Close()
	second.Close()
	assert.Equal(t, []uint32{1}, read(g, g.From(20)))
}

func BenchmarkArrange(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(1, 1))
	order := r.Perm(n)
	for b.Loop() {
		b.StopTimer()
		build, err := NewBuilder(nil, n, 3*n, 1)
		require.NoError(b, err)
		w := build.NewWriter()
		for _, v := range order {
			require.NoError(b, w.Run(uint32(v), 0, []uint64{uint64(v/2 + 1), uint64(v/3 + 1), uint64(v/5 + 1)}))
		}
		w.Close()
		b.StartTimer()
		require.NoError(b, build.Arrange(b.Context(), nil, 1))
		b.StopTimer()
		build.Freeze().Free()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/node")
}

// TestArrangeFewRuns has nearly all blocks scattered for one node each: the others have an end alone.
func TestArrangeFewRuns(t *testing.T) {
	const n = 1 << 21
	var m offheap.Memory
	b, err := NewBuilder(&m, n, n/blockNodes, 1)
	require.NoError(t, err)
	w := b.NewWriter()
	for v := uint32(7); v < n; v += blockNodes {
		require.NoError(t, w.Run(v, v-1, nil))
	}
	w.Close()
	require.NoError(t, b.Arrange(t.Context(), &m, 2))
	g := b.Freeze()
	for v := range uint32(n) {
		if v%blockNodes == 7 {
			require.Equal(t, []uint32{v - 1}, read(g, g.From(v)))
		} else {
			require.Empty(t, read(g, g.From(v)))
		}
	}
	assert.Zero(t, g.directory.Items[0]&scattered)
	g.Free()
}

// TestArrangeMixed has blocks that were written in order, and some that have nothing, among scattered ones.
func TestArrangeMixed(t *testing.T) {
	const n = 16 * blockNodes
	var m offheap.Memory
	b, err := NewBuilder(&m, n, 2*n, 1)
	require.NoError(t, err)
	w, want := b.NewWriter(), make([][]uint32, n)
	for block := range uint32(n / blockNodes) {
		for i := range uint32(blockNodes) {
			v := block*blockNodes + i
			switch {
			case block%8 == 1: // has nothing
				continue
			case block%8 > 1: // backwards
				v = block*blockNodes + blockNodes - 1 - i
			}
			want[v] = []uint32{v*7%(n-1) + 1}
			require.NoError(t, w.Run(v, want[v][0], nil))
		}
	}
	w.Close()
	require.NoError(t, b.Arrange(t.Context(), &m, 1))
	g := b.Freeze()
	for v := range uint32(n) {
		require.Equal(t, distinct(v, want[v]), read(g, g.From(v)), "node %d", v)
	}
	assert.Zero(t, g.directory.Items[2]&scattered)
	g.Free()
}

// TestLengthOfAGroup has runs of nearly as many bytes as the entry of a block can tell, and of more.
func TestLengthOfAGroup(t *testing.T) {
	const n = 4 * blockNodes
	for length := maxLength - 8; length < maxLength+8; length++ {
		var m offheap.Memory
		b, err := NewBuilder(&m, n, 2*maxLength, 1)
		require.NoError(t, err)
		w := b.NewWriter()
		for v := range uint32(n) {
			var run []uint64
			if v == blockNodes {
				for i := range uint64(length) {
					run = append(run, uint64(v)+1-i%2)
				}
			}
			require.NoError(t, w.Run(v, (v+1)%n, run))
		}
		w.Close()
		g := b.Freeze()
		for v := uint32(blockNodes + 1); v < n; v++ {
			require.Equal(t, distinct(v, []uint32{(v + 1) % n}), read(g, g.From(v)), "node %d behind %d", v, length)
		}
		g.Free()
	}
}
