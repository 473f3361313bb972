package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const (
	churnMiB = 20
	// shortWatch is long enough for rates, longWatch for the trend of the old region.
	shortWatch = 8 * time.Second
	longWatch  = 50 * time.Second
)

// TestCollectors watches a program that allocates at a known pace under each collector
// and checks what becomes of it. E2E_FULL=1 takes all JDKs and collectors and leaks
// besides, until the old region's end can be foretold.
func TestCollectors(t *testing.T) {
	if !full() {
		jdk := defaultJDK(t)
		testCollector(t, jdk, serial, false)
		return
	}
	for _, jdk := range findJDKs(t) {
		for _, c := range jdk.collectors(t) {
			if jdk.version >= 17 && c.name != "serial-uncompressed" {
				testCollector(t, jdk, c, true)
			}
		}
	}
}

// watched are the samples of a program over some time, by name and labels.
type watched struct {
	first, last map[string]series.Sample
	// peak is the greatest value of each series.
	peak map[string]float64
	// allocatedMiB is what the program itself says that it allocated between the two.
	allocatedMiB float64
}

// value is the last value of the series whose key begins so.
func (w *watched) value(name string) jvm.Opt[float64] {
	if s, ok := w.last[name]; ok {
		return jvm.Some(s.Value)
	}
	return jvm.Opt[float64]{}
}

// growth is by how much a counter grew.
func (w *watched) growth(name string) float64 { return w.last[name].Value - w.first[name].Value }

// collections is how often the program was collected.
func (w *watched) collections() (sum float64) {
	for key := range w.last {
		if name, _, _ := strings.Cut(key, " "); name == "jvm_gc_collection_seconds_count" {
			sum += w.growth(key)
		}
	}
	return sum
}

// allocated is what the program has allocated by its own count.
func allocated(t *testing.T, churn *harness.Churn) float64 {
	t.Helper()
	said, err := churn.AllocatedMiB(t.Context())
	require.NoError(t, err)
	return said
}

// watch polls a program for some time, and until it has been collected.
func watch(t *testing.T, churn *harness.Churn, d time.Duration) *watched {
	t.Helper()
	target, err := jvm.ParseTarget(churn.JolokiaURL)
	require.NoError(t, err)
	client := jmx.New(target, jmx.Options{Timeout: patience})
	t.Cleanup(client.Close)
	deriver := series.NewDeriver(series.Options{})
	w := &watched{peak: map[string]float64{}}
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	begin, before := time.Now(), 0.0
	for time.Since(begin) < d || w.collections() == 0 && time.Since(begin) < patience {
		s, err := client.Poll(t.Context())
		require.NoError(t, err)
		assert.Empty(t, s.Missing)
		w.last = map[string]series.Sample{}
		for _, sample := range deriver.Derive(s) {
			key := sample.Name
			for _, l := range sample.AllLabels() {
				key += " " + l.Value
			}
			w.last[key] = sample
			if !series.IsStale(sample.Value) {
				w.peak[key] = max(w.peak[key], sample.Value)
			}
		}
		if w.first == nil {
			w.first, before = w.last, allocated(t, churn)
		}
		<-ticker.C
	}
	w.allocatedMiB = allocated(t, churn) - before
	return w
}

func testCollector(t *testing.T, jdk jdk, c collector, leak bool) {
	t.Run(strings.Join([]string{jdk.name, c.name}, "/"), func(t *testing.T) {
		t.Parallel()
		bench := newBench(t)
		load := harness.ChurnLoad{AllocateMiB: churnMiB, AliveMiB: 8}
		watchFor := shortWatch
		if leak {
			load.LeakKiB, watchFor = 512, longWatch
		}
		churn, err := bench.StartChurn(t.Context(), jdk.java, load, append([]string{"-Xms128m", "-Xmx128m"}, c.options...)...)
		require.NoError(t, err)
		w := watch(t, churn, watchFor)
		assertCollector(t, c, w)
		if leak {
			assertLeak(t, c, w, load)
		}
	})
}

// assertCollector checks what holds under every collector.
func assertCollector(t *testing.T, c collector, w *watched) {
	t.Helper()
	allocated := w.growth("jvm_gc_memory_allocated_bytes_total") / (1 << 20)
	t.Logf("allocated %.1f MiB, the program itself %.1f", allocated, w.allocatedMiB)
	// The agent allocates too; concurrent collectors of old JVMs hide a part of what was
	// allocated while they ran.
	assert.Less(t, allocated, w.allocatedMiB*1.7)
	assert.Greater(t, allocated, w.allocatedMiB*0.3)

	for key, s := range w.last {
		name, labels, _ := strings.Cut(key, " ")
		switch name {
		case "jvm_memory_pool_used_bytes":
			assert.NotContains(t, labels, "other", "every pool has a kind")
		case "jvm_gc_pressure_ratio":
			assert.GreaterOrEqual(t, s.Value, 0.0)
			assert.Less(t, s.Value, 0.9, key)
		case "jvm_gc_last_before_bytes":
			assert.NotContains(t, labels, "Pauses", "they measure no pools")
		}
	}
	assert.Positive(t, w.collections())
	if c.concurrent {
		assert.Positive(t, w.peak["jvm_gc_pressure_ratio concurrent poll"], "work beside the application is seen")
		assert.LessOrEqual(t, w.peak["jvm_gc_pressure_ratio pause poll"], 0.5, "and is no pause")
	} else {
		assert.Zero(t, w.peak["jvm_gc_pressure_ratio concurrent poll"])
	}
	if c.name == "serial" || c.name == "parallel" || c.name == "g1" {
		assert.True(t, w.value("jvm_gc_memory_promoted_bytes_total").Known())
	}
}

// assertLeak checks the trend of the old region. Serial and Parallel collect theirs so
// seldom that a minute shows none.
func assertLeak(t *testing.T, c collector, w *watched, load harness.ChurnLoad) {
	t.Helper()
	growth, known := w.value("jvm_memory_old_growth_bytes_per_second").Get()
	t.Logf("old %.0f %%, grows %.0f KiB/s, full in %.0f s", 100*w.value(series.NameOldRatio).Or(0), growth/1024, w.value(series.NameOldFullIn).Or(-1))
	if !known {
		assert.Contains(t, []string{"serial", "parallel"}, c.name)
		return
	}
	// The program slows down on a busy machine, and what it keeps for a while fills up.
	assert.Greater(t, growth/1024, 0.3*float64(load.LeakKiB))
	assert.Less(t, growth/1024, 3*float64(load.LeakKiB))
}
