package jvm_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestKindOfPool(t *testing.T) {
	t.Parallel()
	heap := func(name string, want jvm.PoolKind) {
		t.Helper()
		assert.Equal(t, want, jvm.KindOfPool(name, true), name)
	}
	other := func(name string, want jvm.PoolKind) {
		t.Helper()
		assert.Equal(t, want, jvm.KindOfPool(name, false), name)
	}
	// Serial, Parallel, CMS, G1
	heap("Eden Space", jvm.PoolEden)
	heap("Survivor Space", jvm.PoolSurvivor)
	heap("Tenured Gen", jvm.PoolOld)
	heap("PS Eden Space", jvm.PoolEden)
	heap("PS Survivor Space", jvm.PoolSurvivor)
	heap("PS Old Gen", jvm.PoolOld)
	heap("Par Eden Space", jvm.PoolEden)
	heap("Par Survivor Space", jvm.PoolSurvivor)
	heap("CMS Old Gen", jvm.PoolOld)
	heap("G1 Eden Space", jvm.PoolEden)
	heap("G1 Survivor Space", jvm.PoolSurvivor)
	heap("G1 Old Gen", jvm.PoolOld)
	// ZGC and Shenandoah, with and without generations; Epsilon
	heap("ZHeap", jvm.PoolSingle)
	heap("ZGC Young Generation", jvm.PoolYoung)
	heap("ZGC Old Generation", jvm.PoolOld)
	heap("Shenandoah", jvm.PoolSingle)
	heap("Shenandoah Young Gen", jvm.PoolYoung)
	heap("Shenandoah Old Gen", jvm.PoolOld)
	heap("Shenandoah Old Generation", jvm.PoolOld)
	heap("Epsilon Heap", jvm.PoolSingle)
	// OpenJ9
	heap("nursery-allocate", jvm.PoolEden)
	heap("nursery-survivor", jvm.PoolSurvivor)
	heap("tenured", jvm.PoolOld)
	heap("tenured-SOA", jvm.PoolOld)
	heap("tenured-LOA", jvm.PoolOld)
	heap("JavaHeap", jvm.PoolSingle)
	heap("Java heap", jvm.PoolSingle)
	heap("balanced-eden", jvm.PoolEden)
	heap("balanced-survivor", jvm.PoolSurvivor)
	heap("balanced-old", jvm.PoolOld)
	heap("balanced-reserved", jvm.PoolOther)
	heap("Threshold Space", jvm.PoolOther) // "old" inside a word
	// outside the heap
	other("Metaspace", jvm.PoolMetaspace)
	other("PS Perm Gen", jvm.PoolMetaspace)
	other("Compressed Class Space", jvm.PoolClassSpace)
	other("CodeHeap 'non-nmethods'", jvm.PoolCode)
	other("CodeHeap 'profiled nmethods'", jvm.PoolCode)
	other("CodeCache", jvm.PoolCode)
	other("Code Cache", jvm.PoolCode)
	other("class storage", jvm.PoolMetaspace)
	other("JIT code cache", jvm.PoolCode)
	other("JIT data cache", jvm.PoolOther)
	other("miscellaneous non-heap storage", jvm.PoolOther)
	other("G1 Old Gen", jvm.PoolOther) // the MBean's type wins
	heap("CodeCache", jvm.PoolOther)
}

func TestKindOfGC(t *testing.T) {
	t.Parallel()
	f := func(name string, phase jvm.Phase, generation jvm.Generation) {
		t.Helper()
		gotPhase, gotGeneration := jvm.KindOfGC(name)
		assert.Equal(t, phase, gotPhase, name)
		assert.Equal(t, generation, gotGeneration, name)
	}
	const (
		pause, concurrent = jvm.PhasePause, jvm.PhaseConcurrent
		young, old, all   = jvm.GenerationYoung, jvm.GenerationOld, jvm.GenerationAll
	)
	f("Copy", pause, young)
	f("MarkSweepCompact", pause, old)
	f("PS Scavenge", pause, young)
	f("PS MarkSweep", pause, old)
	f("ParNew", pause, young)
	f("ConcurrentMarkSweep", pause, old)
	f("G1 Young Generation", pause, young)
	f("G1 Old Generation", pause, old)
	f("G1 Concurrent GC", pause, old)
	f("ZGC", concurrent, all)
	f("ZGC Cycles", concurrent, all)
	f("ZGC Pauses", pause, all)
	f("ZGC Minor Cycles", concurrent, young)
	f("ZGC Minor Pauses", pause, young)
	f("ZGC Major Cycles", concurrent, all)
	f("ZGC Major Pauses", pause, all)
	f("Shenandoah Cycles", concurrent, all)
	f("Shenandoah Pauses", pause, all)
	f("Epsilon Heap", pause, all)
	f("scavenge", pause, young)
	f("global", pause, all)
	f("partial gc", pause, young)
	f("global garbage collect", pause, all)
	f("tomorrow's collector", pause, all)
}

func TestUndefinedNumbersAreMissing(t *testing.T) {
	t.Parallel()
	assert.False(t, jvm.Count(-1).Known())
	assert.False(t, jvm.Count(math.MaxInt64).Known())
	assert.Equal(t, jvm.Some[int64](0), jvm.Count(0))
	assert.False(t, jvm.Load(-1).Known())
	assert.False(t, jvm.Load(math.NaN()).Known())
	assert.False(t, jvm.Load(math.Inf(1)).Known())
	assert.Equal(t, jvm.Some(0.5), jvm.Load(0.5))
	assert.Equal(t, int64(7), jvm.Opt[int64]{}.Or(7))
}
