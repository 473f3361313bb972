package edges

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read returns the successors of v.
func read(g *Graph, r Run) []uint32 {
	var all []uint32
	for v, ok := g.Next(&r); ok; v, ok = g.Next(&r) {
		all = append(all, v)
	}
	return all
}

// write builds a graph; order is the order in which the nodes are written, dealt
// out to the writers in stretches.
func write(t testing.TB, successors [][]uint32, order []uint32, writers int) *Graph {
	t.Helper()
	bound := 0
	for _, s := range successors {
		bound += len(s)
	}
	b, err := NewBuilder(nil, len(successors), uint64(bound), writers)
	require.NoError(t, err)
	all := make([]*Writer, writers)
	for i := range all {
		all[i] = b.NewWriter()
	}
	for i, v := range order {
		w := all[i/25%writers]
		var run []uint64
		for _, s := range successors[v] {
			run = append(run, uint64(s))
		}
		if i%2 == 0 && len(run) > 0 {
			require.NoError(t, w.Run(v, uint32(run[0]), run[1:]))
			continue
		}
		require.NoError(t, w.Begin(v, len(run))) // in pieces
		w.AddAll(run[:len(run)/2])
		w.AddAll(run[len(run)/2:])
		w.End()
	}
	for _, w := range all {
		w.Close()
	}
	t.Cleanup(b.Freeze().Free)
	return b.Freeze()
}

// distinct leaves out what the graph does not keep.
func distinct(v uint32, successors []uint32) []uint32 {
	var kept []uint32
	last := v
	for _, s := range successors {
		if s != last && s != 0 {
			kept, last = append(kept, s), s
		}
	}
	return kept
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := 1 + r.IntN(300)
		successors := make([][]uint32, n)
		for v := range successors {
			for range r.IntN(6) * r.IntN(2) {
				successors[v] = append(successors[v], uint32(r.IntN(n)))
			}
		}
		order := make([]uint32, n)
		for i := range order {
			order[i] = uint32(i)
		}
		switch seed % 3 {
		case 1:
			r.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		case 2: // some nodes late, as class objects are
			for range n / 10 {
				i := r.IntN(n)
				order = append(append(order[:i:i], order[i+1:]...), order[i])
			}
		}
		g := write(t, successors, order, 1+int(seed%3))
		c := g.Cursor()
		for v := range uint32(n) {
			want := distinct(v, successors[v])
			require.Equal(t, want, read(g, g.From(v)), "seed %d node %d", seed, v)
			require.Equal(t, want, read(g, c.From(v)), "seed %d node %d", seed, v)
		}
		for range 20 { // a cursor may jump
			v := uint32(r.IntN(n))
			require.Equal(t, distinct(v, successors[v]), read(g, c.From(v)))
		}
	}
}

// TestFarAway has the longest codes, and counts predecessors.
func TestFarAway(t *testing.T) {
	const last = 1<<32 - 2
	b, err := NewBuilder(nil, last+1, 10, 1)
	require.NoError(t, err)
	g := b.Freeze()
	t.Cleanup(g.Free)
	w := b.NewWriter()
	for v, to := range map[uint32][]uint32{1: {last, 2, last - 1}, last: {1, last - 1}} {
		require.NoError(t, w.Begin(v, 3))
		for _, u := range to {
			w.Add(u)
		}
		w.End()
	}
	w.Close()
	assert.Equal(t, []uint32{last, 2, last - 1}, read(g, g.From(1)))
	assert.Equal(t, []uint32{1, last - 1}, read(g, g.From(last)))
	degrees := g.TakeDegrees()
	defer degrees.Free()
	none, one := degrees.Of(0)
	assert.Equal(t, uint64(1<<1|1<<2), one)
	assert.Equal(t, ^uint64(1<<1|1<<2), none)
	none, one = degrees.Of(last / 64)
	assert.Equal(t, uint64(1<<(last%64)), one)
	assert.Equal(t, ^uint64(1<<(last%64)|1<<(last%64-1)), none, "the one before the last has two")
	assert.Equal(t, uint64(5), g.Successors())
}

// TestLongRun has a node with more successors than a chunk of the blob holds.
func TestLongRun(t *testing.T) {
	const n = 200_000
	successors := make([][]uint32, 40)
	for i := range n {
		successors[17] = append(successors[17], uint32(1+i*37%39))
	}
	successors[18] = []uint32{3}
	order := make([]uint32, 40)
	for i := range order {
		order[i] = uint32(i)
	}
	g := write(t, successors, order, 1)
	assert.Equal(t, distinct(17, successors[17]), read(g, g.From(17)))
	assert.Equal(t, []uint32{3}, read(g, g.From(18)))
}

// TestMoreThanAnnounced is a dump that grew between two passes.
func TestMoreThanAnnounced(t *testing.T) {
	b, err := NewBuilder(nil, 10, 0, 1)
	require.NoError(t, err)
	t.Cleanup(b.Freeze().Free)
	w := b.NewWriter()
	for range 100 {
		if err = w.Begin(1, 1<<20); err != nil {
			break
		}
	}
	assert.ErrorIs(t, err, ErrChanged)
}

func BenchmarkNext(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 1 << 20
	successors := make([][]uint32, n)
	order := make([]uint32, n)
	for v := range successors {
		order[v] = uint32(v)
		for range 3 {
			successors[v] = append(successors[v], uint32(min(v+1+r.IntN(1000), n-1)))
		}
	}
	g := write(b, successors, order, 1)
	b.SetBytes(3 * n * 4)
	for b.Loop() {
		c := g.Cursor()
		var sum uint32
		for v := range uint32(n) {
			run := c.From(v)
			for s, ok := g.Next(&run); ok; s, ok = g.Next(&run) {
				sum += s
			}
		}
		assert.NotZero(b, sum)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(3*n), "ns/edge")
}

// TestFullChunk fills a chunk up: eight bytes are written at a time, and those behind it
// are another writer's.
func TestFullChunk(t *testing.T) {
	const n = 2 * chunkBytes
	for left := range uint64(16) {
		b, err := NewBuilder(nil, n, 20, 2)
		require.NoError(t, err)
		w, behind := b.NewWriter(), b.NewWriter()
		require.NoError(t, w.Run(1, 0, nil))
		require.NoError(t, behind.Run(n-1, 1, nil))
		require.Equal(t, w.end+chunkBytes, behind.end)
		v := uint32(2)
		for ; w.end-w.at > 16+left; v++ {
			require.NoError(t, w.Run(v, 0, nil))
		}
		for range 16 {
			require.NoError(t, w.Run(v, n-2, nil))
			v++
		}
		require.NotEqual(t, w.end+chunkBytes, behind.end, "filled")
		w.Close()
		behind.Close()
		g := b.Freeze()
		assert.Equal(t, []uint32{1}, read(g, g.From(n-1)), "%d bytes left", left)
		assert.Equal(t, []uint32{n - 2}, read(g, g.From(v-1)))
		g.Free()
	}
}
