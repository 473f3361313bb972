package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
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
