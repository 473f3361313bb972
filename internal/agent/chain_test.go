package agent_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestAgentCapturesOnceInTime goes from polls to the verdict.
func TestAgentCapturesOnceInTime(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	c := writer(b.directory)
	n := 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c.poll = func(context.Context) (*jvm.Snapshot, error) {
		if n++; n == 20 {
			cancel()
		}
		return filled(float64(n) / 20), nil
	}
	a := b.agentOver(c)
	require.NoError(t, a.Run(ctx))
	assert.Equal(t, 1, strings.Count(b.log.String(), "taking a heap dump"))
	assert.Contains(t, b.log.String(), "50 % full")
	var out bytes.Buffer
	a.WriteMetrics(&out)
	assert.Contains(t, out.String(), `apm_sidecar_captures_total{job="shop",instance="h:1",result="ok"} 1`)
}

// TestADumpIsNoOutage: while the JVM writes, its series say why there is nothing
// else of it, and up says nothing.
func TestADumpIsNoOutage(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := writer(b.directory)
	write := c.dump
	c.dump = func(ctx context.Context, file string, live bool) error {
		assert.Eventually(t, func() bool { return len(b.sink.values(series.NameDumping, "h:1")) >= 4 }, time.Minute, time.Millisecond)
		return write(ctx, file, live)
	}
	polls := 0
	c.poll = func(context.Context) (*jvm.Snapshot, error) {
		if polls++; polls == 2 {
			defer cancel()
		}
		return filled(1), nil
	}
	a := b.agentOver(c)
	require.NoError(t, a.Run(ctx))
	dumping := b.sink.values(series.NameDumping, "h:1")
	assert.Equal(t, 0.0, dumping[0])
	assert.Equal(t, []float64{1, 1, 1}, dumping[1:4])
	assert.Equal(t, []float64{1}, b.sink.values("up", "h:1"))
	var out bytes.Buffer
	a.WriteMetrics(&out)
	assert.NotContains(t, out.String(), `apm_sidecar_poll_skipped_total{job="shop",instance="h:1",reason="dump"} 0`)
}

// TestARestartedSidecarKeepsTheCoolDown: it does not stop a JVM for a dump that was
// taken minutes ago.
func TestARestartedSidecarKeepsTheCoolDown(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) string { return time.Now().UTC().Add(-d).Format("20060102T150405Z") }
	for name, want := range map[string]int{
		"shop-h_1-" + ago(30*time.Minute) + ".hprof":       0,
		"shop-h_1-" + ago(30*time.Minute) + ".report.json": 0,
		"shop-h_1-" + ago(2*time.Hour) + ".hprof":          1,
		"shop-h_1-3536ed6b-" + ago(time.Minute) + ".hprof": 0,
		"shop-h_1-00000000-" + ago(time.Minute) + ".hprof": 1, // another target's
		"shop-h_2-" + ago(30*time.Minute) + ".hprof":       1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newCaptureBench(t, goodReport, nil)
			require.NoError(t, os.WriteFile(filepath.Join(b.directory, name), nil, 0o600))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			c := writer(b.directory)
			polls := 0
			c.poll = func(context.Context) (*jvm.Snapshot, error) {
				if polls++; polls == 3 {
					cancel()
				}
				return filled(1), nil
			}
			require.NoError(t, b.agentOver(c).Run(ctx))
			assert.Equal(t, want, strings.Count(b.log.String(), "heap dump written"))
		})
	}
}

// TestG1IsCaughtBeforeItsFullCollection: its old pool is silent all the while.
func TestG1IsCaughtBeforeItsFullCollection(t *testing.T) {
	t.Parallel()
	f := func(name string, want int, gcs ...jvm.GC) {
		t.Helper()
		b := newCaptureBench(t, goodReport, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		c := writer(b.directory)
		polls := 0
		c.poll = func(context.Context) (*jvm.Snapshot, error) {
			if polls++; polls == 2 {
				cancel()
			}
			s := healthy()
			s.Pools = []jvm.Pool{{Name: "G1 Old Gen", Heap: true, Kind: jvm.PoolOld, Usage: jvm.Usage{Max: jvm.Some[int64](100)}}}
			s.GCs = gcs
			return s, nil
		}
		c.dump = func(context.Context, string, bool) error { return errors.New("enough is known") }
		require.NoError(t, b.agentOver(c).Run(ctx))
		assert.Equal(t, want, strings.Count(b.log.String(), "taking a heap dump"), name)
	}
	gc := func(name string, endMs, after int64) jvm.GC {
		return jvm.GC{Name: name, Last: &jvm.LastGC{EndMs: jvm.Some(endMs), Pools: []jvm.PoolChange{{Pool: "G1 Old Gen", AfterBytes: after}}}}
	}
	f("full after a young collection", 1, gc("G1 Young Generation", 20, 80))
	f("it may be garbage yet", 0, gc("G1 Young Generation", 20, 70))
	f("a full collection came later", 0, gc("G1 Old Generation", 30, 10), gc("G1 Young Generation", 20, 80))
	f("another came long ago", 1, gc("G1 Old Generation", 10, 10), gc("G1 Young Generation", 20, 80))
	f("a collector that leaves garbage in the old region", 0, gc("PS Scavenge", 20, 80))
	f("none yet", 0, jvm.GC{Name: "G1 Young Generation"})
}

func TestAgentEndsDuringADump(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &fakeClient{
		poll: func(context.Context) (*jvm.Snapshot, error) { return filled(1), nil },
		dump: func(ctx context.Context, _ string, _ bool) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		},
	}
	a := b.agentOver(c)
	require.NoError(t, a.Run(ctx))
	assert.NotContains(t, b.log.String(), "level=ERROR")
}
