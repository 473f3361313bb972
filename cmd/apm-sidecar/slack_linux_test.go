package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestThreadsSleepLazily looks at the threads of a process, that of the scheduler's watch among
// them, which is older than main.
func TestThreadsSleepLazily(t *testing.T) {
	t.Parallel()
	if _, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(os.Getppid()), "timerslack_ns")); err != nil {
		t.Skip("without CAP_SYS_NICE nobody may")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = []string{"apm-sidecar", "run", "--target", "http://127.0.0.1:1/jolokia", "--remote-write", "http://127.0.0.1:1/api/v1/write", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=listening") {
		continue
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", cmd.Process.Pid))
	require.NoError(t, err)
	hurried := 0
	for _, thread := range threads {
		slack, err := os.ReadFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"))
		if err == nil && strings.TrimSpace(string(slack)) != strconv.FormatInt(wakeSlack.Nanoseconds(), 10) {
			hurried++
		}
	}
	assert.Greater(t, len(threads), 3)
	assert.LessOrEqual(t, hurried, 1, "of %d threads; one may have begun meanwhile", len(threads))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	for lines.Scan() { // to its end
		continue
	}
	assert.NoError(t, cmd.Wait())
}
