package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// fullEnv makes the test binary open the store in the folder it names, write noByteSamples,
// and lose all room for them in the way of fullWayEnv.
const (
	fullEnv    = "STORE_TEST_FULL"
	fullWayEnv = "STORE_TEST_FULL_WAY"

	noByteSamples = 2000
	noByteMinFree = 48 << 20
)

// Ways in which the disk gets full.
const (
	// wayClose: the store is closed once it has given its reserve up.
	wayClose = "close"
	// wayGreedy: others take the reserve as well, and the process ends without closing.
	wayGreedy = "greedy"
	// wayAtOnce: others take all before the store has looked.
	wayAtOnce = "at once"
)

// givenUp is closed once what is written to it tells of the reserve.
type givenUp struct {
	once sync.Once
	done chan struct{}
}

func (g *givenUp) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("reserve is given up")) {
		g.once.Do(func() { close(g.done) })
	}
	return os.Stdout.Write(p)
}

// liveWithoutAByte is what the child does: 0 after all went well, 7 after the engine's last
// words, 1 after an error.
func liveWithoutAByte(dir, way string) int {
	told := &givenUp{done: make(chan struct{})}
	err := func() error {
		s, err := store.Open(store.Options{
			Dir: dir, MinFreeBytes: noByteMinFree,
			Logger: slog.New(slog.NewTextHandler(told, &slog.HandlerOptions{Level: slog.LevelError})),
			Broken: func(err error) {
				fmt.Println("broken:", err)
				os.Exit(7)
			},
		})
		if err != nil {
			return err
		}
		now := time.Now().Add(-time.Minute).UnixMilli()
		batch := make([]series.Sample, noByteSamples)
		for i := range batch {
			batch[i] = series.Sample{Name: "m", Labels: []series.Label{{Name: "i", Value: strconv.Itoa(i)}}, TimeMs: now, Value: float64(i)}
		}
		if err := s.Write(batch); err != nil {
			return err
		}
		ballast := filepath.Join(filepath.Dir(dir), "ballast")
		if way == wayAtOnce {
			return errors.Join(os.Remove(filepath.Join(dir, "reserve")), fill(ballast), s.Close())
		}
		if err := fill(ballast); err != nil {
			return err
		}
		select {
		case <-told.done:
		case <-time.After(time.Minute):
			return errors.New("the reserve is not given up")
		}
		if way == wayGreedy {
			return fill(ballast)
		}
		return s.Close()
	}()
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// TestADiskWithoutAByteIsNoPanic: what is in memory is written to the place of the reserve,
// and is there whatever becomes of that place.
func TestADiskWithoutAByteIsNoPanic(t *testing.T) {
	for _, way := range []string{wayClose, wayGreedy} {
		t.Run(way, func(t *testing.T) {
			disk := smallDisk(t, "128m")
			dir := filepath.Join(disk, "store")
			code, out := inChild(t, dir, way)
			require.Zero(t, code, out)
			require.NoFileExists(t, filepath.Join(dir, "reserve"))

			opts := store.Options{Dir: dir, MinFreeBytes: noByteMinFree}
			_, err := store.Open(opts)
			require.ErrorContains(t, err, "at least 32.0 MiB are needed")
			require.NoError(t, os.Remove(filepath.Join(disk, "ballast")))
			s, err := store.Open(opts)
			require.NoError(t, err)
			defer func() { assert.NoError(t, s.Close()) }()
			assert.Len(t, export(t, s.Handler(), "m"), noByteSamples)
			left, err := os.ReadDir(filepath.Join(dir, "snapshots"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// TestADiskFullAtOnceEndsInOneSentence: where nothing is left to write to, neither the
// reserve, the process ends and says why.
func TestADiskFullAtOnceEndsInOneSentence(t *testing.T) {
	dir := filepath.Join(smallDisk(t, "128m"), "store")
	code, out := inChild(t, dir, wayAtOnce)
	assert.Equal(t, 7, code, out)
	assert.Contains(t, out, "broken: store: "+dir+" cannot be written or read any more: ")
	assert.Contains(t, out, "no space left on device")
	assert.NotContains(t, out, "goroutine")
}

// inChild runs liveWithoutAByte in a process of its own, which ends within two minutes.
func inChild(t *testing.T, dir, way string) (code int, out string) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), fullEnv+"="+dir, fullWayEnv+"="+way)
	text, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil {
		require.ErrorAs(t, err, &exit, string(text))
	}
	return cmd.ProcessState.ExitCode(), string(text)
}
