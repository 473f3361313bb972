package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestFewCancelled has a queue of cancelled tasks as every busy Timer has it: it is nothing, however
// small the rest of the heap, unless they keep much.
func TestFewCancelled(t *testing.T) {
	f := func(n, bytes int) int {
		j := hproftest.NewJDK(17, 8)
		task := j.Class("com.acme.Resend", j.TimerTask, hproftest.Ref("message"))
		var tasks []*hproftest.Object
		for range n {
			tasks = append(tasks, j.Task(task, hproftest.Cancelled, 20_000).Set("message", j.Bytes(make([]byte, bytes))))
		}
		j.Timer("resend", 2048, tasks...)
		return len(byKind("timer-held", detect(t, j)))
	}
	assert.Zero(t, f(300, 2000))
	assert.Equal(t, 1, f(300, 8000), "1 MiB and more")
	assert.Equal(t, 1, f(1000, 100))
}
