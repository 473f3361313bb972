package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testTimeout = time.Minute

// TestMain plays the owner of a bench that is to be killed, when told so.
func TestMain(m *testing.M) {
	if os.Getenv("HARNESS_ORPHAN") != "" {
		if err := ownBenchForever(); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// ownBenchForever opens a bench, prints its folder and the id of its process,
// and waits to be killed.
func ownBenchForever() error {
	bench, err := NewBench()
	if err != nil {
		return err
	}
	p, err := bench.Start(context.Background(), Command{Name: "sleeper", Path: "sleep", Args: []string{"600"}})
	if err != nil {
		return err
	}
	fmt.Println("owner", bench.Dir, p.PID())
	<-p.Ended()
	return errors.New("the sleeper ended by itself")
}

func TestNothingIsLeftWhenTheOwnerIsKilled(t *testing.T) {
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), "HARNESS_ORPHAN=1")
	stdout, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	fields := strings.Fields(line)
	require.Len(t, fields, 3, line)
	folder := fields[1]
	pid, err := strconv.Atoi(fields[2])
	require.NoError(t, err)
	require.DirExists(t, folder)

	require.NoError(t, owner.Process.Kill())
	assert.Error(t, owner.Wait())

	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	assert.NoError(t, Poll(ctx, func() (bool, error) {
		_, err := os.Stat(folder)
		return errors.Is(err, os.ErrNotExist) && !running(pid), nil
	}), "folder %s or process %d is left", folder, pid)
}

func TestCloseStopsAllAndRemovesTheFolder(t *testing.T) {
	bench, err := NewBench()
	require.NoError(t, err)
	// A process that has a child of its own.
	p, err := bench.Start(t.Context(), Command{Name: "parent", Path: "sh", Args: []string{"-c", "sleep 600 & echo child $!; wait"}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	match, err := p.AwaitOutput(ctx, regexp.MustCompile(`child (\d+)\n`))
	require.NoError(t, err)
	child, err := strconv.Atoi(match[1])
	require.NoError(t, err)

	require.NoError(t, bench.Close())
	assert.NoDirExists(t, bench.Dir)
	assert.False(t, running(p.PID()))
	assert.NoError(t, Poll(ctx, func() (bool, error) { return !running(child), nil }))
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	bench, err := NewBench()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bench.Close()) })
	p, err := bench.Start(t.Context(), Command{Name: "stubborn", Path: "sh", Args: []string{"-c", `trap "" TERM; echo ready; sleep 600`}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	_, err = p.AwaitOutput(ctx, regexp.MustCompile(`ready`))
	require.NoError(t, err)

	assert.ErrorContains(t, p.Stop(100*time.Millisecond), "was killed")
	assert.NoError(t, p.Stop(time.Second), "it is gone already")
}

func TestAwaitOutputTellsWhyTheProcessEnded(t *testing.T) {
	bench, err := NewBench()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bench.Close()) })
	p, err := bench.Start(t.Context(), Command{Name: "failing", Path: "sh", Args: []string{"-c", "echo no memory >&2; exit 7"}})
	require.NoError(t, err)

	_, err = p.AwaitOutput(t.Context(), regexp.MustCompile(`READY`))
	assert.ErrorContains(t, err, "exit status 7")
	assert.ErrorContains(t, err, "no memory")
}

func TestJavaVersion(t *testing.T) {
	for output, want := range map[string]int{
		`openjdk version "1.8.0_504"`:          8,
		`openjdk version "11.0.13" 2021-10-19`: 11,
		`openjdk version "25" 2025-09-16`:      25,
	} {
		java := filepath.Join(t.TempDir(), "java")
		script := fmt.Sprintf("#!/bin/sh\necho '%s' >&2\n", output)
		require.NoError(t, os.WriteFile(java, []byte(script), 0o700)) // it is to be run
		got, err := JavaVersion(t.Context(), java)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// running says whether a process exists and is no zombie.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
