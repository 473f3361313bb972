package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

func TestExplain(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "a.hprof", Err: fs.ErrPermission}
	for name, c := range map[string]struct {
		err  error
		code exitCode
		says string
	}{
		"ok":          {nil, exitOK, ""},
		"partial":     {errPartial, exitPartial, ""},
		"usage":       {usagef("what?"), exitUsage, "error: what?\nhint: heapscan --help shows how to call it\n"},
		"interrupted": {inputError{"a.hprof", fmt.Errorf("scan: %w", context.Canceled)}, exitInterrupted, "interrupted: no report was written\n"},
		"foreign": {inputError{"a.hprof", &hprof.Error{What: "header", Err: hprof.ErrNotHprof}}, exitNotHprof,
			"error: a.hprof: header at offset 0: not an HPROF heap dump\nhint: "},
		"denied": {inputError{"a.hprof", denied}, exitUnreadable,
			"error: open a.hprof: permission denied\nhint: a JVM writes a dump that only its own user may read"},
		"damaged": {inputError{"a.hprof", &hprof.Error{Offset: 7, What: "record", Err: errors.New("no")}}, exitUnreadable, "error: a.hprof: record at offset 7: no\n"},
		"output":  {&fs.PathError{Op: "open", Path: "out", Err: fs.ErrPermission}, exitError, "error: open out: permission denied\n"},
		"other":   {inputError{"a.hprof", errors.New("one\ntwo")}, exitError, "error: a.hprof: one\\x0atwo\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			assert.Equal(t, c.code, explain(&stderr, c.err))
			assert.Contains(t, stderr.String(), c.says)
			if c.says == "" {
				assert.Empty(t, stderr.String())
			}
		})
	}
}

// open returns a file for one of the streams of a run.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), name))
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

func TestInterruptedRunLeavesNoFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env := environment{stdout: open(t, "stdout"), stderr: open(t, "stderr"), getenv: func(string) string { return "" }}
	dump := timerHeld(heldStatements).WriteFile(t, hproftest.Shape{})
	report := filepath.Join(t.TempDir(), "report.txt")

	assert.Equal(t, exitInterrupted, run(ctx, env, []string{"-o", report, dump}))
	left, err := os.ReadDir(filepath.Dir(report))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// What a run was about to fail for is no matter to who interrupts it.
func TestInterruptedRunThatWouldFail(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env := environment{stdout: open(t, "stdout"), stderr: open(t, "stderr"), getenv: func(string) string { return "" }}
	foreign := filepath.Join(t.TempDir(), "foreign.json")
	require.NoError(t, os.WriteFile(foreign, []byte("no report"), 0o600))
	assert.Equal(t, exitInterrupted, run(ctx, env, []string{"render", foreign}))
	assert.Equal(t, exitUsage, run(ctx, env, []string{"render", "--no-such-flag", foreign}), "that is wrong with a signal or without")
}

// A write that fails must not cost the user the report of last time.
func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "report.txt")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o600))
	err := writeOutput(environment{}, target, func(w io.Writer) error {
		_, err := w.Write([]byte("half a rep"))
		return errors.Join(err, errors.New("disk full"))
	})
	require.ErrorContains(t, err, "disk full")
	text, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "old", string(text))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestReplacedFileKeepsItsMode(t *testing.T) {
	target := filepath.Join(t.TempDir(), "report.txt")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o600))
	require.NoError(t, writeOutput(environment{}, target, func(w io.Writer) error {
		_, err := w.Write([]byte("new"))
		return err
	}))
	info, err := os.Stat(target)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}
