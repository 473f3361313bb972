package early_test

import (
	"bytes"
	"log"
	"os"
	"os/exec"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/vmlog/early"
)

var _ = metrics.NewSet // which says it, where the system is one without

func TestFilter(t *testing.T) {
	var out bytes.Buffer
	l := log.New(early.Filter(&out), "", 0)
	l.Print("INFO: metrics: disable exposing PSI metrics because of failed init: open /sys/fs/cgroup/cpu.pressure: no such file or directory")
	l.Print("ERROR: metrics: something else")
	assert.Equal(t, "ERROR: metrics: something else\n", out.String())
}

// TestNothingIsSaidBeforeMain runs this very test program, without a test.
func TestNothingIsSaidBeforeMain(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	var said bytes.Buffer
	c := exec.CommandContext(t.Context(), self, "-test.run=^$")
	c.Stderr = &said
	require.NoError(t, c.Run())
	assert.NotContains(t, said.String(), "PSI metrics")
}
