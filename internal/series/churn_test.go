package series_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// young is a snapshot after so many young collections, the last of which freed eden and
// moved 10 bytes to the old region.
func young(heapUsed, collections int64) *jvm.Snapshot {
	return &jvm.Snapshot{
		Time:   at(),
		Memory: &jvm.Memory{Heap: jvm.Usage{Used: jvm.Some(heapUsed)}},
		Pools:  []jvm.Pool{{Name: "Eden Space", Heap: true, Kind: jvm.PoolEden}, {Name: "Tenured Gen", Heap: true, Kind: jvm.PoolOld}},
		GCs: []jvm.GC{{Name: "Copy", Generation: jvm.GenerationYoung, Count: jvm.Some(collections), Last: &jvm.LastGC{Pools: []jvm.PoolChange{
			{Pool: "Eden Space", BeforeBytes: 800, AfterBytes: 0}, {Pool: "Tenured Gen", BeforeBytes: 100, AfterBytes: 110}}}}},
	}
}

// churn has a deriver look at one snapshot after the other, and holds its counters against what is wanted.
func churn(t *testing.T) func(s *jvm.Snapshot, allocated, promoted float64) {
	d := series.NewDeriver(series.Options{})
	return func(s *jvm.Snapshot, allocated, promoted float64) {
		t.Helper()
		got := d.Derive(s)
		assert.Equal(t, jvm.Some(allocated), value(got, "jvm_gc_memory_allocated_bytes_total"))
		assert.Equal(t, jvm.Some(promoted), value(got, "jvm_gc_memory_promoted_bytes_total"))
	}
}

func TestAllocationAndPromotion(t *testing.T) {
	t.Parallel()
	f := churn(t)
	f(young(500, 3), 0, 0)
	f(young(700, 3), 200, 0)
	f(young(300, 4), 200-400+790, 10)
	f(young(300, 6), 590+2*790, 30)

	f(young(300, 2), 590+2*790, 30) // counted anew
	exact := young(300, 2)
	exact.AllocatedBytes = jvm.Some[int64](5000)
	f(exact, 5000, 30)
}

// What concurrent collectors free no poll tells of, and a young collection may take regions out of the
// old one, too: counters do not fall for that.
func TestAllocationAndPromotionNeverFall(t *testing.T) {
	t.Parallel()
	f := churn(t)
	f(young(500, 3), 0, 0)
	f(young(700, 3), 200, 0)
	f(young(100, 3), 200, 0)
	mixed := young(100, 4)
	mixed.GCs[0].Last.Pools[1].AfterBytes = 40
	f(mixed, 200+800+60, 0)
	f(young(100, 5), 200+800+60+790, 10)

	restarted := young(900, 9) // before the next poll, with more collections than the one before
	restarted.Runtime = &jvm.Runtime{StartMs: jvm.Some[int64](2)}
	f(restarted, 0, 0)
}

// A collector that a poll did not tell of is not one that has collected all of its
// collections since.
func TestChurnOfACollectorThatIsSeenLate(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	f := func(s *jvm.Snapshot, allocated float64, promoted jvm.Opt[float64]) {
		t.Helper()
		got := d.Derive(s)
		assert.Equal(t, jvm.Some(allocated), value(got, "jvm_gc_memory_allocated_bytes_total"))
		assert.Equal(t, promoted, value(got, "jvm_gc_memory_promoted_bytes_total"))
	}
	without := young(500, 0)
	without.GCs = nil // denied, or too late
	f(without, 0, jvm.Opt[float64]{})
	f(young(500, 5000), 0, jvm.Some(0.0))
	f(young(300, 5001), 300-500+790, jvm.Some(10.0))

	d = series.NewDeriver(series.Options{})
	idle := young(500, 0)
	idle.GCs[0].Last = nil // it has not collected yet
	f(idle, 0, jvm.Opt[float64]{})
	f(young(300, 2), 300-500+2*790, jvm.Some(20.0))
}

// TestCountersOf32Bits: Tomcat counts in an int, which turns negative after two thousand
// million requests and comes round to zero after four.
func TestCountersOf32Bits(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	start := int64(1)
	f := func(bits int64, want float64) {
		t.Helper()
		s := &jvm.Snapshot{Time: at(), Runtime: &jvm.Runtime{StartMs: jvm.Some(start)},
			Servers: jvm.Servers{Connectors: []jvm.HTTPConnector{{Server: "tomcat", Name: "c", Requests: jvm.Some(bits)}}}}
		assert.Equal(t, jvm.Some(want), value(d.Derive(s), "appserver_requests_total"))
	}
	f(1<<31-1, 1<<31-1)
	f(1<<31+5, 1<<31+5)
	f(1<<32-1, 1<<32-1)
	f(7, 1<<32+7)
	f(1<<32-1, 2<<32-1)
	f(0, 2<<32)
	f(1000, 2<<32+1000)
	f(10, 10) // reset by hand
	f(1<<31, 1<<31)
	f(0, 0) // once more: it would have come round from beyond the middle alone
	f(1<<32-1, 1<<32-1)
	start++
	f(7, 7) // another JVM's
}

// Names come from the JVM, which may have others in each poll.
func TestWhatIsRememberedOfAJVMIsBounded(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	s := &jvm.Snapshot{Time: at(), Runtime: &jvm.Runtime{StartMs: jvm.Some[int64](1)}}
	for i := range 20_000 {
		s.Servers.Sessions = []jvm.Sessions{{Server: "tomcat", Context: "/" + strconv.Itoa(i), Rejected: jvm.Some[int64](1)}}
		d.Derive(s)
	}
	assert.LessOrEqual(t, series.CountersOf32Bits(d), 1000)
	for i := range int64(3000) {
		s := gcPoll(1, i+1, i, i) // an age in milliseconds, polled as fast
		s.GCs[0].Name, s.GCs[0].Count = strconv.Itoa(int(i)), jvm.Some(i)
		d.Derive(s)
	}
	assert.LessOrEqual(t, series.Collectors(d), 1001)
	assert.LessOrEqual(t, series.PressurePoints(d), 1024)
}

// Where no young collection has an old region beside it, nothing is promoted, not even none.
func TestPromotionWithoutGenerations(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	s := young(500, 3)
	s.Pools[1].Kind = jvm.PoolSingle
	for range 2 {
		assert.False(t, value(d.Derive(s), "jvm_gc_memory_promoted_bytes_total").Known())
	}
}
