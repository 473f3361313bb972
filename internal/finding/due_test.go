package finding_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestDueCounts has a queue of an hour with one task in the far future, which must not
// squeeze the others into one stretch.
func TestDueCounts(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	class := j.Class("com.acme.Timeout", j.TimerTask)
	var tasks []*hproftest.Object
	for i := range 3600 {
		state := int32(hproftest.Cancelled)
		if i%60 == 0 {
			state = hproftest.Scheduled
		}
		tasks = append(tasks, j.Task(class, state, int64(1000*i)))
	}
	tasks = append(tasks, j.Task(class, hproftest.Scheduled, math.MaxInt64/2))
	j.Timer("timeouts", 4096, tasks...)
	list, _ := analyse(t, j.Finish()).Schedulers()
	require.Len(t, list, 1)

	counts := map[string]int64{}
	stretches := map[string]int64{}
	before := ""
	for _, d := range list[0].Due {
		from, err := time.Parse(time.RFC3339, d.From)
		require.NoError(t, err)
		until, err := time.Parse(time.RFC3339, d.Until)
		require.NoError(t, err)
		assert.True(t, until.After(from))
		assert.LessOrEqual(t, before, d.From)
		before = d.From
		counts[d.State] += d.Count
		stretches[d.From] += d.Count
	}
	assert.Equal(t, map[string]int64{"cancelled": 3540, "scheduled": 61}, counts)
	assert.Greater(t, len(stretches), 30)
	assert.LessOrEqual(t, len(stretches), 40)
	for from, n := range stretches {
		assert.Less(t, n, int64(200), from)
	}
	assert.Equal(t, "9999-12-31T23:59:59Z", list[0].LastDue)
}

func TestDueCountsOfOneTask(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.Timer("timeouts", 4, j.Task(j.Class("com.acme.Timeout", j.TimerTask), hproftest.Scheduled, 0))
	list, _ := analyse(t, j.Finish()).Schedulers()
	require.Len(t, list, 1)
	require.Len(t, list[0].Due, 1)
	assert.Equal(t, int64(1), list[0].Due[0].Count)
	assert.Equal(t, list[0].HeadDue, list[0].Due[0].From)
}
