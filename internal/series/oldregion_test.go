package series_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// serial is a snapshot of a JVM of two generations: its age, and the old region after
// its last collection, of a thousand bytes.
func serial(uptimeMs, oldAfter int64) *jvm.Snapshot {
	return &jvm.Snapshot{
		Time:    at(),
		Runtime: &jvm.Runtime{StartMs: jvm.Some[int64](1), UptimeMs: jvm.Some(uptimeMs)},
		Pools: []jvm.Pool{{Name: "Tenured Gen", Heap: true, Kind: jvm.PoolOld,
			AfterGC: &jvm.Usage{Used: jvm.Some(oldAfter), Max: jvm.Some[int64](1000)}}},
		GCs: []jvm.GC{{Name: "MarkSweepCompact", Generation: jvm.GenerationOld, Last: &jvm.LastGC{EndMs: jvm.Some(uptimeMs)}}},
	}
}

// value is the value of the metric without labels of its own.
func value(samples []series.Sample, name string) jvm.Opt[float64] {
	for _, s := range samples {
		if s.Name == name && !series.IsStale(s.Value) {
			return jvm.Some(s.Value)
		}
	}
	return jvm.Opt[float64]{}
}

func TestTimeToFull(t *testing.T) {
	t.Parallel()
	const never = -1.0
	f := func(name string, polls int, use func(i int64) int64, growth, fullIn float64) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := series.NewDeriver(series.Options{})
			var last []series.Sample
			for i := range int64(polls) {
				last = d.Derive(serial(10_000*(i+1), use(i)))
			}
			assert.InDelta(t, growth, value(last, "jvm_memory_old_growth_bytes_per_second").Or(0), 0.03)
			assert.InEpsilon(t, fullIn, value(last, series.NameOldFullIn).Or(never), 0.05)
		})
	}
	f("a leak of one byte a second", 20, func(i int64) int64 { return 100 + 10*i }, 1, 710)
	f("the same for hours", 1000, func(i int64) int64 { return 100 + i/2 }, 0.05, 8020)
	f("too few collections", 5, func(i int64) int64 { return 100 + 10*i }, 0, never)
	f("level", 20, func(int64) int64 { return 500 }, 0, never)
	f("noise", 40, func(i int64) int64 { return 500 + i*7919%100 }, 0, never)
	f("shrinks", 20, func(i int64) int64 { return 900 - 10*i }, -1, never)
}

// What would be full in months will be something else by then.
func TestTimeToFullEndsSomewhere(t *testing.T) {
	t.Parallel()
	f := func(limit int64, want jvm.Opt[float64]) {
		t.Helper()
		d := series.NewDeriver(series.Options{})
		var last []series.Sample
		for i := range int64(20) {
			s := serial(10_000*(i+1), 1000+10*i)
			s.Pools[0].AfterGC.Max = jvm.Some(limit)
			last = d.Derive(s)
		}
		assert.Equal(t, want, value(last, series.NameOldFullIn))
	}
	const used, days = 1000 + 10*19, 24 * 3600
	f(used+30*days, jvm.Some(30.0*days))
	f(used+30*days+1, jvm.Opt[float64]{})
}

// TestTheTrendFollowsEachPoint: it is drawn anew only where a poll has changed a point.
func TestTheTrendFollowsEachPoint(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	uptime := int64(0)
	for i := range 5000 {
		uptime += random.Int64N(20_000) // some before they are due, in slots of 5 s to a minute
		d.Derive(serial(uptime, random.Int64N(1000)))
		require.False(t, series.TrendIsLate(d), "poll %d", i)
	}
}

// BenchmarkDerive derives what a JVM says that has collected garbage before each poll, after
// some hours.
func BenchmarkDerive(b *testing.B) {
	memory := &series.Memory{}
	d := series.NewDeriver(series.Options{Memory: memory})
	poll := func(i int64) { memory.Free(d.Derive(serial(10_000*(i+1), 500+i*7919%100))) }
	for i := range int64(2000) {
		poll(i)
	}
	b.ReportAllocs()
	for i := int64(2000); b.Loop(); i++ {
		poll(i)
	}
}

func TestTheTrendBeginsAnewWithTheJVM(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	for i := range int64(20) {
		d.Derive(serial(10_000*(i+1), 100+10*i))
	}
	s := serial(10_000, 50)
	s.Runtime.StartMs = jvm.Some[int64](2)
	got := d.Derive(s)
	assert.False(t, value(got, series.NameOldFullIn).Known())
	assert.InDelta(t, 0.05, value(got, series.NameOldRatio).Or(0), 0)
}

// TestOldRegionOfEveryJVM: pools by the names that each JVM gives them (for OpenJ9 its
// documentation of -XX:HeapManagementMXBeanCompatibility); of what the collections left
// there, what belongs to the old region is summed.
func TestOldRegionOfEveryJVM(t *testing.T) {
	t.Parallel()
	f := func(jvmName string, used int64, pools ...string) {
		t.Helper()
		s := &jvm.Snapshot{}
		for i, name := range pools {
			after := &jvm.Usage{Used: jvm.Some(int64(1) << i), Max: jvm.Some[int64](1000)}
			s.Pools = append(s.Pools, jvm.Pool{Name: name, Heap: true, Kind: jvm.KindOfPool(name, true), AfterGC: after})
		}
		old, ok := series.OldRegionOf(s)
		assert.True(t, ok, jvmName)
		assert.Equal(t, used, old.UsedBytes, jvmName)
	}
	f("JDK 8, Serial", 4, "Eden Space", "Survivor Space", "Tenured Gen")
	f("JDK 8, Parallel", 4, "PS Eden Space", "PS Survivor Space", "PS Old Gen")
	f("JDK 8, CMS", 4, "Par Eden Space", "Par Survivor Space", "CMS Old Gen")
	f("OpenJ9, gencon", 12, "nursery-allocate", "nursery-survivor", "tenured-LOA", "tenured-SOA")
	f("OpenJ9, gencon without a large object area", 4, "nursery-allocate", "nursery-survivor", "tenured")
	f("OpenJ9, optthruput", 3, "tenured-LOA", "tenured-SOA")
	f("OpenJ9, balanced", 8, "balanced-reserved", "balanced-eden", "balanced-survivor", "balanced-old")
	f("OpenJ9, metronome", 1, "JavaHeap")
	f("OpenJ9, compatible with its past", 1, "Java heap")
}

// Young collections leave the old region as it was: they are no points of its trend.
func TestYoungCollectionsSayNothingOfTheOldRegion(t *testing.T) {
	t.Parallel()
	s := serial(5000, 100)
	before, _ := series.OldRegionOf(s)
	s.GCs = append(s.GCs, jvm.GC{Name: "Copy", Generation: jvm.GenerationYoung, Last: &jvm.LastGC{EndMs: jvm.Some[int64](9000)}})
	after, ok := series.OldRegionOf(s)
	assert.True(t, ok)
	assert.Equal(t, before, after)
}

// Of G1's collectors the one counts that collected last, wherever it stands.
func TestOldRegionOfG1AfterItsLastCollection(t *testing.T) {
	t.Parallel()
	f := func(youngMs, oldMs, want int64, partly bool) {
		t.Helper()
		young := jvm.GC{Name: jvm.G1Young, Generation: jvm.GenerationYoung,
			Last: &jvm.LastGC{EndMs: jvm.Some(youngMs), Pools: []jvm.PoolChange{{Pool: "G1 Old Gen", AfterBytes: 700}}}}
		full := jvm.GC{Name: "G1 Old Generation", Generation: jvm.GenerationOld, Last: &jvm.LastGC{EndMs: jvm.Some(oldMs)}}
		for _, gcs := range [][]jvm.GC{{young, full}, {full, young}} {
			old, ok := series.OldRegionOf(&jvm.Snapshot{GCs: gcs, Pools: []jvm.Pool{{Name: "G1 Old Gen", Heap: true, Kind: jvm.PoolOld,
				Usage: jvm.Usage{Max: jvm.Some[int64](1000)}, AfterGC: &jvm.Usage{Used: jvm.Some[int64](300)}}}})
			assert.True(t, ok)
			assert.Equal(t, want, old.UsedBytes)
			assert.Equal(t, partly, old.Partly)
		}
	}
	f(2000, 1000, 700, true)
	f(1000, 2000, 300, false)
}
