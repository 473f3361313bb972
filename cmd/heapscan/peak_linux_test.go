package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runToPeak runs a program and returns the most memory that it had, in bytes: its VmHWM (proc(5)), which is looked at
// all the time. What wait4(2) tells of a child begins with the memory of its parent, which has run other tests.
func runToPeak(t *testing.T, cmd *exec.Cmd) (peak int64, err error) {
	t.Helper()
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		peak = max(peak, highWater(cmd.Process.Pid))
		select {
		case err := <-ended:
			require.NotZero(t, peak, "it ended before anybody looked")
			return peak, err
		case <-time.After(time.Millisecond):
		}
	}
}

// highWater is the most memory that a process had so far, in bytes, 0 where it has ended.
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	if fields := bytes.Fields(after); len(fields) > 0 {
		kilobytes, _ := strconv.ParseInt(string(fields[0]), 10, 64)
		return kilobytes << 10
	}
	return 0
}
