package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// loseEnv makes the test binary open the store in the folder it names, remove the folder's
// files, and wait for what becomes of that.
const loseEnv = "STORE_TEST_LOSE"

func lose(dir string) {
	s, err := store.Open(store.Options{Dir: dir, Broken: func(err error) {
		fmt.Println("broken:", err)
		os.Exit(7)
	}})
	if err == nil {
		err = s.Write([]series.Sample{{Name: "m", TimeMs: time.Now().UnixMilli(), Value: 1}})
	}
	if err == nil {
		err = os.RemoveAll(filepath.Join(dir, "data"))
	}
	if err == nil {
		err = os.RemoveAll(filepath.Join(dir, "indexdb"))
	}
	if err == nil {
		err = s.Close()
	}
	fmt.Println("closed:", err)
	os.Exit(0)
}

// TestAStoreWhoseFilesVanishSaysSo: the engine panics in a goroutine of its own, and the
// last word is ours.
func TestAStoreWhoseFilesVanishSaysSo(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), loseEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, string(out))
	assert.Equal(t, 7, cmd.ProcessState.ExitCode(), string(out))
	assert.Contains(t, string(out), "broken: store: "+dir+" cannot be written or read any more: ")
	assert.Contains(t, string(out), "no such file or directory")
	assert.NotContains(t, string(out), "goroutine")
}

// TestADamagedStoreSaysSo: parts are opened by goroutines of the engine, whose panics nobody
// recovers, and the index by one of ours.
func TestADamagedStoreSaysSo(t *testing.T) {
	for file, want := range map[string]struct {
		code int
		text string
	}{
		"data/small/*/*/metadata.json": {7, "broken: store: %s cannot be written or read any more: "},
		"indexdb/*/*/metadata.json":    {0, "closed: store: open %s: FATAL: "},
	} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			s, err := store.Open(store.Options{Dir: dir})
			require.NoError(t, err)
			require.NoError(t, s.Write([]series.Sample{{Name: "m", TimeMs: time.Now().UnixMilli(), Value: 1}}))
			require.NoError(t, s.Close())
			damaged, err := filepath.Glob(filepath.Join(dir, file))
			require.NoError(t, err)
			require.NotEmpty(t, damaged)
			for _, name := range damaged {
				require.NoError(t, os.Truncate(name, 0))
			}
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), loseEnv+"="+dir)
			out, _ := cmd.CombinedOutput()
			assert.Equal(t, want.code, cmd.ProcessState.ExitCode(), string(out))
			assert.Contains(t, string(out), fmt.Sprintf(want.text, dir))
			assert.NotContains(t, string(out), "goroutine")
		})
	}
}
