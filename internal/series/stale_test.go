package series_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// parts splits samples into the living and the markers, without values.
func parts(samples []series.Sample) (alive, ended []string) {
	for _, s := range samples {
		name, _, _ := strings.Cut(text(s), "} ")
		if series.IsStale(s.Value) {
			ended = append(ended, name+"}")
		} else {
			alive = append(alive, name+"}")
		}
	}
	return alive, ended
}

func TestStaleIsItsOwnNaN(t *testing.T) {
	t.Parallel()
	assert.True(t, series.IsStale(series.Stale()))
	assert.True(t, math.IsNaN(series.Stale()))
	assert.False(t, series.IsStale(math.NaN()))
	assert.False(t, series.IsStale(0))
}

func TestADownTargetEndsItsSeriesOnce(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	before, ended := parts(d.Derive(full()))
	assert.Empty(t, ended)
	alive, ended := parts(d.Down(at().Add(time.Second)))
	assert.ElementsMatch(t, before, append(ended, alive...), "each of them gets a value or a marker")
	_, ended = parts(d.Down(at().Add(2 * time.Second)))
	assert.Empty(t, ended, "once is enough")
}

func TestASeriesThatARestartedJVMLacksEnds(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	d.Derive(full())
	other := full()
	other.Pools[0].Name = "Tenured Gen"
	alive, ended := parts(d.Derive(other))
	assert.Contains(t, alive, "jvm_memory_pool_used_bytes{area=heap,kind=old,pool=Tenured Gen}")
	assert.Contains(t, ended, "jvm_memory_pool_used_bytes{area=heap,kind=old,pool=G1 Old Gen}")
	assert.NotContains(t, ended, "jvm_memory_pool_used_bytes{area=nonheap,kind=metaspace,pool=Metaspace}")
}

func TestTheFinalizerQueueHoldsUntilItIsEmpty(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	d.Derive(full())
	d.Queue(&jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "A", Count: 9}, {Class: "B", Count: 1}}}, at())
	s := full()
	_, ended := parts(d.Derive(s))
	assert.Empty(t, ended, "nobody asked: the last answer holds")
	_, ended = parts(d.Queue(&jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "A", Count: 1}}}, at()))
	assert.Equal(t, []string{"jvm_finalizer_queue_objects{class=B}"}, ended)
	s.Memory.PendingFinalizers = jvm.Some[int64](0)
	_, ended = parts(d.Derive(s))
	assert.ElementsMatch(t, []string{"jvm_finalizer_queue_objects{class=A}", "jvm_finalizer_queue_classes{}"}, ended)
}

// TestTiersEndApart: the fast tier says nothing about the series of the slow one, and a
// target that is down ends both.
func TestTiersEndApart(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	d.Derive(full())
	slow, _ := parts(slices.Concat(d.Details(fullDetails()), d.ThreadStates(fullThreads())))
	_, ended := parts(d.Derive(full()))
	assert.Empty(t, ended)
	_, ended = parts(d.Down(at()))
	assert.Subset(t, ended, slow)
}

func TestADumpEndsNothing(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	d.Derive(full())
	assert.Equal(t, []string{"apm_sidecar_heap_dump_in_progress{} 1"}, texts(d.Dumping(at())))
	_, ended := parts(d.Derive(full()))
	assert.Empty(t, ended)
}
