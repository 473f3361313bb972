//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestSIGUSR1 asks a scan how far it is, which waits for its input: it answers on
// standard error though nothing shows progress, and goes on.
func TestSIGUSR1(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	cmd := exec.CommandContext(t.Context(), self, "report", "--quiet", "--format", "json", pipe)
	cmd.Args[0] = "heapscan"
	var out strings.Builder
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	// The scan opens the pipe behind everything that comes before the first progress.
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	dump := timerHeld(heldStatements).Encode(hproftest.Shape{})
	_, err = writer.Write(dump[:1000])
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR1))
	line, err := bufio.NewReader(stderr).ReadString('\n')
	require.NoError(t, err)
	assert.Regexp(t, `^(starting|inflating): \d`, line)
	_, err = writer.Write(dump[1000:])
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.NoError(t, cmd.Wait())
	assert.Contains(t, out.String(), `"kind": "timer-held"`)
}
