package finding_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestThreadsOfSeveralReadings has more threads than are read at once.
func TestThreadsOfSeveralReadings(t *testing.T) {
	const threads = 70_000
	j := hproftest.NewJDK(17, 8)
	for i := range threads {
		j.NewThread(j.Thread, "worker-"+strconv.Itoa(i))
	}
	h := analyse(t, j.Finish())
	names := map[string]bool{}
	for s := range h.Stacks() {
		names[h.NameOf(s.Object)] = true
	}
	for _, i := range []int{0, 1, threads / 2, threads - 2, threads - 1} {
		assert.Contains(t, names, "worker-"+strconv.Itoa(i))
	}
	assert.NotContains(t, names, "")
	assert.Empty(t, h.NameOf(heap.ObjID(0)))
}
