package series

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func pools(names ...string) *jvm.Snapshot {
	s := &jvm.Snapshot{Time: time.UnixMilli(1)}
	for _, name := range names {
		s.Pools = append(s.Pools, jvm.Pool{Name: name, Kind: jvm.PoolOld, Usage: jvm.Usage{Used: jvm.Some[int64](1)}})
	}
	return s
}

// TestTargetsOfOneKindShareTheirSeries: only the labels of the target are its own.
func TestTargetsOfOneKindShareTheirSeries(t *testing.T) {
	t.Parallel()
	memory := &Memory{}
	target := func(instance string, naming Naming) *Deriver {
		return NewDeriver(Options{Labels: []Label{{"instance", instance}, {"kind", "mine"}}, Naming: naming, Memory: memory})
	}
	a, b, renamed, other := target("a", ""), target("b", ""), target("c", NamingOTel), target("d", "")
	for range 3 {
		ofA, ofB := a.Derive(pools("Tenured Gen", "x")), b.Derive(pools("Tenured Gen", "x"))
		require.Len(t, ofB, len(ofA))
		for i := range ofA {
			assert.Equal(t, ofA[i].Labels, ofB[i].Labels)
			assert.Equal(t, "b", ofB[i].Target[0].Value)
		}
		last := ofB[len(ofB)-1]
		assert.Equal(t, []Label{{"area", "nonheap"}, {"instance", "b"}, {"kind", "mine"}, {"pool", "x"}}, last.AllLabels(), "the target's own label stays")
		renamed.Derive(pools("Tenured Gen", "x"))
		other.Derive(pools("G1 Old Gen"))
	}
	assert.Same(t, a.fast.alive, b.fast.alive)
	assert.NotSame(t, a.fast.alive, renamed.fast.alive)
	assert.NotSame(t, a.fast.alive, other.fast.alive)
}

func TestSeriesThatNobodyHasAreForgotten(t *testing.T) {
	t.Parallel()
	memory := &Memory{}
	kept := func() int {
		memory.mu.Lock()
		defer memory.mu.Unlock()
		return len(memory.layouts)
	}
	d := NewDeriver(Options{Memory: memory})
	for _, name := range []string{"a", "b", "c"} {
		d.Derive(pools(name))
	}
	require.Positive(t, kept())
	assert.Eventually(t, func() bool {
		runtime.GC()
		return kept() == 1
	}, time.Minute, time.Millisecond)
	runtime.KeepAlive(d)
}

// TestATargetThatChangesLeavesTheOthersTheirLabels: what is shared is never written to.
func TestATargetThatChangesLeavesTheOthersTheirLabels(t *testing.T) {
	t.Parallel()
	memory := &Memory{}
	a, b := NewDeriver(Options{Memory: memory}), NewDeriver(Options{Memory: memory})
	a.Derive(pools("x", "y", "z"))
	b.Derive(pools("x", "y", "z"))
	require.Same(t, a.fast.alive, b.fast.alive)
	before := b.Derive(pools("x", "y", "z"))
	a.Derive(pools("x", "other", "z"))
	after := b.Derive(pools("x", "y", "z"))
	require.Len(t, after, len(before))
	for i := range before {
		assert.True(t, after[i].SharesLabels(&before[i]), before[i].Name)
	}
}

// TestTargetsThatGrowAtOnceKeepTheirOwnLabels: what is shared is not written to behind its end
// either, where a slice may have room.
func TestTargetsThatGrowAtOnceKeepTheirOwnLabels(t *testing.T) {
	t.Parallel()
	memory := &Memory{}
	for n := range 40 {
		names := make([]string, n)
		for i := range names {
			names[i] = strconv.Itoa(i)
		}
		a, b := NewDeriver(Options{Memory: memory}), NewDeriver(Options{Memory: memory})
		a.Derive(pools(names...))
		b.Derive(pools(names...))
		ofA, ofB := a.fast.at(2), b.fast.at(2)
		for _, p := range pools(names...).Pools {
			ofA.pool(p)
			ofB.pool(p)
		}
		own := ofA.pool(jvm.Pool{Name: "of a"})
		ofB.pool(jvm.Pool{Name: "of b"})
		require.Equal(t, own, ofA.sets[n])
	}
}

// TestFreedSamplesAreEmpty: the labels of a target that vanishes must not stay.
func TestFreedSamplesAreEmpty(t *testing.T) {
	t.Parallel()
	samples := NewDeriver(Options{Labels: []Label{{"instance", "a"}}}).Derive(pools("x"))
	(&Memory{}).Free(samples)
	for _, s := range samples {
		assert.Equal(t, Sample{}, s)
	}
}

// BenchmarkChange derives what one of many JVMs says that has other pools at each poll, as others of
// them have.
func BenchmarkChange(b *testing.B) {
	memory := &Memory{}
	said := []*jvm.Snapshot{pools("a", "b", "c", "d", "e", "f"), pools("a", "b", "c", "d", "e", "f", "g")}
	var others [2]*Deriver
	for i, s := range said {
		others[i] = NewDeriver(Options{Memory: memory})
		memory.Free(others[i].Derive(s))
	}
	d := NewDeriver(Options{Memory: memory})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		memory.Free(d.Derive(said[i%2]))
	}
	runtime.KeepAlive(others)
}
