package ring_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func open(t *testing.T, dir string, maxBytes int64) *ring.Ring {
	t.Helper()
	r, err := ring.Open(ring.Options{Dir: dir, MaxBytes: maxBytes, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return r
}

// record is one that ended n seconds after the epoch.
func record(n int) *tx.Record {
	return &tx.Record{
		ID: fmt.Sprintf("id-%d", n), Target: "shop/a", State: tx.StateFinished, Route: fmt.Sprintf("/r%d", n%3), Class: tx.ClassSQL,
		Start:   epoch().Add(time.Duration(n-5) * time.Second),
		Elapsed: tx.Elapsed{Ms: 5000, MinMs: 5000, MaxMs: 5000, Certainty: tx.Exact},
		Classes: []tx.ClassTime{{Class: tx.ClassSQL, Ms: 5000, ErrorMs: 3}}, Segments: []tx.Segment{}, Locks: []tx.LockWait{},
		Peers: []tx.Peer{}, SQL: []tx.SQL{}, Notes: []string{},
		Stacks: &tx.Node{Frame: "all", Samples: 1, Ms: 5000, Children: []*tx.Node{{Frame: "a.B.c", Line: 7, Samples: 1, Ms: 5000}}},
	}
}

// TestRecordsOutliveTheProgram: the ring is never closed here, as after kill -9.
func TestRecordsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data [of shop]")
	first := open(t, dir, 0)
	for n := range 10 {
		require.NoError(t, first.Add(record(n)))
	}
	second := open(t, dir, 0)
	found, total := second.List(ring.Query{})
	assert.Equal(t, 10, total)
	assert.Equal(t, "id-9", found[0].ID, "the newest first")
	got, err := second.Get("id-4")
	require.NoError(t, err)
	assert.Equal(t, record(4), got)
	require.NoError(t, second.Add(record(10)))
	_, total = open(t, dir, 0).List(ring.Query{})
	assert.Equal(t, 11, total)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1, "a restart goes on in the same file")
	require.NoError(t, second.Close())
	require.NoError(t, first.Close())
}

// TestTornEnds: whatever a crash leaves of the last record, those before it stay, and
// new ones follow.
func TestTornEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir, 0)
	for n := range 3 {
		require.NoError(t, r.Add(record(n)))
	}
	require.NoError(t, r.Close())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	whole, err := os.ReadFile(files[0])
	require.NoError(t, err)
	third := len(whole) - len(whole)/3
	for cut := third; cut < len(whole); cut += 7 {
		require.NoError(t, os.WriteFile(files[0], whole[:cut], 0o600))
		r := open(t, dir, 0)
		_, total := r.List(ring.Query{})
		require.Equal(t, 2, total, "cut at %d of %d", cut, len(whole))
		require.NoError(t, r.Add(record(7)))
		require.NoError(t, r.Close())
		again := open(t, dir, 0)
		_, total = again.List(ring.Query{})
		require.Equal(t, 3, total)
		_, err := again.Get("id-7")
		require.NoError(t, err)
	}
	whole[len(whole)-5] ^= 0xff
	require.NoError(t, os.WriteFile(files[0], whole, 0o600))
	_, total := open(t, dir, 0).List(ring.Query{})
	assert.Equal(t, 2, total, "damaged")
}

func TestTheOldestMakeRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir, 64<<10)
	for n := range 600 {
		require.NoError(t, r.Add(record(n)))
	}
	bytes := int64(0)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		bytes += info.Size()
	}
	assert.LessOrEqual(t, bytes, int64(64<<10))
	found, total := r.List(ring.Query{})
	assert.Greater(t, total, 80)
	assert.Equal(t, "id-599", found[0].ID)
	_, err = r.Get("id-0")
	require.ErrorIs(t, err, ring.ErrNotFound)
	last, err := r.Get(found[len(found)-1].ID)
	require.NoError(t, err)
	assert.Equal(t, found[len(found)-1].ID, last.ID)
	require.NoError(t, r.Close())
	_, again := open(t, dir, 64<<10).List(ring.Query{})
	assert.Equal(t, total, again)
}

// TestOneInFlight: the record of a transaction in flight gives way to the final one;
// without one it is lost.
func TestOneInFlight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir, 0)
	active := record(1)
	active.State = tx.StateActive
	require.NoError(t, r.Add(active))
	require.NoError(t, r.Close())
	r = open(t, dir, 0)
	got, err := r.Get("id-1")
	require.NoError(t, err)
	assert.Equal(t, tx.StateLost, got.State)
	require.NoError(t, r.Add(record(1)))
	found, total := r.List(ring.Query{})
	require.Equal(t, 1, total)
	assert.Equal(t, tx.StateFinished, found[0].State)
	require.NoError(t, r.Close())
}

func TestQueries(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir(), 0)
	defer r.Close()
	for n := range 9 {
		require.NoError(t, r.Add(record(n)))
	}
	for name, c := range map[string]struct {
		query ring.Query
		total int
	}{
		"from":     {ring.Query{From: epoch().Add(6 * time.Second)}, 3},
		"to":       {ring.Query{To: epoch().Add(6 * time.Second)}, 6},
		"route":    {ring.Query{Route: "/r1"}, 3},
		"target":   {ring.Query{Target: "shop/b"}, 0},
		"class":    {ring.Query{Class: tx.ClassSQL}, 9},
		"state":    {ring.Query{State: tx.StateFailed}, 0},
		"too long": {ring.Query{Max: 5 * time.Second}, 0},
		"too fast": {ring.Query{Min: 5001 * time.Millisecond}, 0},
		"within":   {ring.Query{Min: 5 * time.Second, Max: 5001 * time.Millisecond, Limit: 4}, 9},
	} {
		found, total := r.List(c.query)
		assert.Equal(t, c.total, total, name)
		if c.query.Limit > 0 {
			assert.Len(t, found, c.query.Limit, name)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	r, err := ring.Open(ring.Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		require.NoError(b, r.Add(record(n)))
	}
}
