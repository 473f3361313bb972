package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const (
	// testTimeout is for a whole test, and patience for one thing to happen, on a machine
	// that is slow, busy or cold. Whoever waits goes on at once when it happens.
	testTimeout = 10 * time.Minute
	patience    = 2 * time.Minute
	// sidecarGrace is how long the sidecar may take to end.
	sidecarGrace = time.Minute
)

// newBench returns a bench that is closed with the test: whatever runs on it is stopped
// then.
func newBench(t *testing.T) *harness.Bench {
	t.Helper()
	bench, err := harness.NewBench()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bench.Close()) })
	return bench
}
