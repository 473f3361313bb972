package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TestThisMachine finds a real process and reads the machine beside it.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	name, err := os.Hostname()
	require.NoError(t, err)
	target, err := jvm.ParseTarget("http://192.0.2.1:8778/")
	require.NoError(t, err)

	h := host.Local()
	says := jvm.VM{Process: fmt.Sprintf("%d@%s", child.Process.Pid, name)}
	pid, err := h.Find(target, says, time.Now().UnixMilli())
	require.NoError(t, err)
	assert.Equal(t, child.Process.Pid, pid)
	_, err = h.Find(target, says, time.Now().Add(-time.Minute).UnixMilli())
	require.Error(t, err, "another start is another process")

	got, err := h.Read(pid)
	require.NoError(t, err)
	assert.NotEmpty(t, got.CPUs)
	assert.Positive(t, got.Memory["MemTotal"])
	assert.True(t, got.Load1.Known())
	assert.Positive(t, got.ResidentBytes.Or(0))
}
