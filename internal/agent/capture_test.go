package agent_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// analyser writes a shell script that stands for the analysing child: $1 is the
// dump, $3 the report.
func analyser(t *testing.T, script string) []string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	file := filepath.Join(t.TempDir(), "analyser.sh")
	require.NoError(t, os.WriteFile(file, []byte("set -e\n"+script), 0o600))
	return []string{"/bin/sh", file}
}

// writer is a JVM that writes a dump where it is told to, under its own view of
// the directory.
func writer(directory string) *fakeClient {
	return &fakeClient{dump: func(_ context.Context, file string, _ bool) error {
		return os.WriteFile(filepath.Join(directory, filepath.Base(file)), []byte("dump"), 0o600)
	}}
}

type captureBench struct {
	*agent.Capture
	directory string
	stdout    bytes.Buffer
	log       bytes.Buffer
	logger    *slog.Logger // the one writer of log
	sink      sink
}

func newCaptureBench(t *testing.T, script string, change func(*agent.CaptureOptions)) *captureBench {
	t.Helper()
	b := &captureBench{directory: t.TempDir()}
	b.logger = slog.New(slog.NewTextHandler(&b.log, nil))
	opts := agent.CaptureOptions{
		Directory: b.directory, KeepDumps: 1, Analyser: analyser(t, script), Stdout: &b.stdout,
		Logger: b.logger,
	}
	if change != nil {
		change(&opts)
	}
	var err error
	b.Capture, err = agent.NewCapture(opts)
	require.NoError(t, err)
	return b
}

func (b *captureBench) take(ctx context.Context, c agent.Client) error {
	target := jvm.Target{Job: "shop", Instance: "h:1"}
	err := b.Take(ctx, target, c, series.TargetLabels(target), &b.sink)
	b.Wait()
	return err
}

// agentOver is an agent that dumps into the directory from a ratio of 50 % on.
func (b *captureBench) agentOver(c agent.Client) *agent.Agent {
	return agent.New(agent.Options{
		Interval: 10 * time.Millisecond, Sink: &b.sink, Capture: b.Capture,
		Trigger: agent.TriggerOptions{OldAfterGCRatio: 0.5, CoolDown: time.Hour},
		Logger:  b.logger,
		Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "h:1"}, Client: c}},
	})
}

// files are the names in the directory with the suffix.
func (b *captureBench) files(t *testing.T, suffix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.directory, "*"+suffix))
	require.NoError(t, err)
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

const goodReport = `cat >"$3" <<'R'
{"schema_version":1,"findings":[
 {"kind":"timer-held","severity":"critical","culprit":{"class":"org.acme.Statement"},"objects":30000,"bytes":19600000},
 {"kind":"timer-held","severity":"critical","culprit":{"class":"org.acme.Statement"},"objects":1,"bytes":1},
 {"kind":"big-retainer","severity":"info","culprit":{},"objects":5,"bytes":7}]}
R
echo "VERDICT on $(cat "$1")"
`

func TestCaptureTakesAnalysesAndTells(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	require.NoError(t, b.take(t.Context(), writer(b.directory)))
	assert.Equal(t, "VERDICT on dump\n", b.stdout.String())
	require.Len(t, b.files(t, ".hprof"), 1)
	assert.Regexp(t, `^shop-h_1-3536ed6b-\d{8}T\d{6}Z\.hprof$`, b.files(t, ".hprof")[0])
	assert.Len(t, b.files(t, ".report.json"), 1)
	assert.Equal(t, []float64{30000, 5}, b.sink.values(series.NameFindingObjects, "h:1"), "one series a kind, severity and class")
	assert.Equal(t, []float64{19600000, 7}, b.sink.values(series.NameFindingBytes, "h:1"))
	assert.Equal(t, []series.Label{{Name: "class", Value: "org.acme.Statement"}, {Name: "instance", Value: "h:1"}, {Name: "job", Value: "shop"},
		{Name: "kind", Value: "timer-held"}, {Name: "severity", Value: "critical"}}, b.sink.samples[0].Labels)
}

func TestCaptureBoundsTheSummary(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, `{ echo '{"findings":['; i=0; while [ $i -lt 50 ]; do echo "{\"kind\":\"k$i\",\"objects\":1},"; i=$((i+1)); done; echo '{}]}'; } >"$3"`, nil)
	require.NoError(t, b.take(t.Context(), writer(b.directory)))
	assert.Len(t, b.sink.values(series.NameFindingObjects, "h:1"), 10)
}

func TestCaptureOfADamagedDumpStillTells(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport+"exit 3", nil)
	require.NoError(t, b.take(t.Context(), writer(b.directory)))
	assert.NotEmpty(t, b.stdout.String())
	assert.Len(t, b.sink.values(series.NameFindingObjects, "h:1"), 2)
}

func TestCaptureWhoseAnalysisFails(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"exit code": `echo "out of luck" >&2; exit 1`,
		"no report": `echo "out of luck" >&2`,
		"no JSON":   `echo "out of luck" >"$3"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newCaptureBench(t, script, nil)
			require.NoError(t, b.take(t.Context(), writer(b.directory)), "the dump itself was taken")
			assert.Contains(t, b.log.String(), "no analysis")
			if name == "exit code" {
				assert.Contains(t, b.log.String(), "out of luck")
			}
			assert.Empty(t, b.sink.samples)
			assert.Empty(t, b.stdout.String())
			assert.Len(t, b.files(t, ".hprof"), 1, "the evidence stays")
		})
	}
}

// TestAnAnalysisWithoutEndIsEnded, whether it had begun by then or a busy machine was
// still starting it.
func TestAnAnalysisWithoutEndIsEnded(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"under way": 100 * time.Millisecond, "not begun": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newCaptureBench(t, `exec sleep 600`, func(o *agent.CaptureOptions) { o.AnalysisTimeout = timeout })
			require.NoError(t, b.take(t.Context(), writer(b.directory)))
			assert.Contains(t, b.log.String(), "no analysis")
			assert.Contains(t, b.log.String(), "the analysis was not done within "+timeout.String())
		})
	}
}

func TestCaptureWithoutADump(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	err := b.take(t.Context(), &fakeClient{dump: func(context.Context, string, bool) error { return errors.New("no such operation") }})
	require.ErrorContains(t, err, "no such operation")
	err = b.take(t.Context(), writer(t.TempDir()))
	require.ErrorContains(t, err, "capture.jvm_directory", "the JVM wrote elsewhere")
	assert.Empty(t, b.stdout.String())
}

// TestAFailedDumpLeavesNothing: HotSpot leaves what it wrote until the disk was
// full. What was there before is not touched.
func TestAFailedDumpLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	c := writer(b.directory)
	write := c.dump
	f := func(reason string) error {
		c.dump = func(ctx context.Context, file string, live bool) error {
			return errors.Join(write(ctx, file, live), &jmx.Error{Reason: reason, Err: errors.New("No space left on device")})
		}
		return b.take(t.Context(), c)
	}
	require.ErrorContains(t, f(jmx.ReasonOperation), "writable for the JVM's user")
	assert.Empty(t, b.files(t, ".hprof"))

	require.Error(t, f(jmx.ReasonTimeout))
	assert.Len(t, b.files(t, ".hprof"), 1, "it may be written still")
}

// TestAnAnalysisCutShortIsTakenUpAgain by the next run, once.
func TestAnAnalysisCutShortIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	for _, name := range []string{"shop-h_1-20200101T000000Z.hprof", "shop-h_1-3536ed6b-20210101T000000Z.hprof", "shop-h_2-20220101T000000Z.hprof"} {
		require.NoError(t, os.WriteFile(filepath.Join(b.directory, name), []byte("of "+name), 0o600))
	}
	f := func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &fakeClient{poll: func(ctx context.Context) (*jvm.Snapshot, error) {
			assert.Eventually(t, func() bool { return len(b.files(t, ".report.json")) > 0 }, time.Minute, time.Millisecond)
			cancel()
			return nil, ctx.Err()
		}}
		require.NoError(t, b.agentOver(c).Run(ctx))
	}
	f()
	assert.Equal(t, []string{"shop-h_1-3536ed6b-20210101T000000Z.report.json"}, b.files(t, ".report.json"), "the youngest")
	f()
	assert.Equal(t, 1, strings.Count(b.log.String(), "of an earlier run"))
}

// TestAnAnalysisIsNotDoneTwice: one that came to its end after its target was given other labels.
func TestAnAnalysisIsNotDoneTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCaptureBench(t, goodReport, nil)
		dump := filepath.Join(b.directory, "shop-h_1-3536ed6b-20210101T000000Z")
		require.NoError(t, os.WriteFile(dump+".hprof", []byte("dump"), 0o600))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		c := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
			if time.Since(began) > time.Minute {
				cancel()
			}
			return nil, errors.Join(os.WriteFile(dump+".report.json", nil, 0o600), errors.New("down"))
		}}
		require.NoError(t, b.agentOver(c).Run(ctx))
		b.Wait()
		assert.NotContains(t, b.log.String(), "of an earlier run")
	})
}

func TestCaptureTellsTheJVMItsOwnPath(t *testing.T) {
	t.Parallel()
	var asked string
	var askedLive bool
	f := func(jvmDirectory string, live bool) string {
		b := newCaptureBench(t, goodReport, func(o *agent.CaptureOptions) { o.JVMDirectory, o.Live = jvmDirectory, live })
		c := writer(b.directory)
		inner := c.dump
		c.dump = func(ctx context.Context, file string, live bool) error {
			asked, askedLive = file, live
			return inner(ctx, file, live)
		}
		require.NoError(t, b.take(t.Context(), c))
		return b.directory
	}
	directory := f("", false)
	assert.Equal(t, filepath.ToSlash(directory), filepath.ToSlash(filepath.Dir(asked)))
	assert.False(t, askedLive)
	f("/shared", true)
	assert.Equal(t, "/shared", filepath.ToSlash(filepath.Dir(asked)))
	assert.True(t, askedLive)
}

func TestCaptureKeepsTheNewestDumpsAndTouchesNothingElse(t *testing.T) {
	t.Parallel()
	for keep, want := range map[int]int{0: 0, 1: 1, 3: 3} {
		t.Run(strconv.Itoa(keep), func(t *testing.T) {
			t.Parallel()
			b := newCaptureBench(t, goodReport, func(o *agent.CaptureOptions) { o.KeepDumps = keep })
			strange := []string{"shop-h_1-mine.hprof", "shop-h_2-20200101T000000Z.hprof", "other.hprof", "shop-h_1-20200101T000000Z.hprof.txt", "shop-h_1-00000000-20200101T000000Z.hprof", "shop-h_2-20200101T000000Z.hprof.p1"}
			old := []string{"shop-h_1-20200101T000000Z.hprof", "shop-h_1-3536ed6b-20210101T000000Z.hprof", "shop-h_1-20220101T000000Z.hprof"} // the builds of before had no checksum
			// Of the first one a JVM that died has left parts, and of another one nothing but a part.
			parts := []string{old[0] + ".p0", old[0] + ".p11", "shop-h_1-20190101T000000Z.hprof.p1"}
			for _, name := range slices.Concat(strange, old, parts) {
				require.NoError(t, os.WriteFile(filepath.Join(b.directory, name), nil, 0o600))
			}
			require.NoError(t, b.take(t.Context(), writer(b.directory)))
			left := b.files(t, "")
			for _, name := range strange {
				assert.Contains(t, left, name)
			}
			assert.Len(t, left, len(strange)+want+1, "%v", left) // and the report
			assert.NotContains(t, left, old[0])
			if keep == 3 {
				assert.Contains(t, left, old[2])
			}
		})
	}
}

// TestCaptureChildIsMeek: the child has the lowest priority and a memory limit,
// and ends with its context.
func TestCaptureChildIsMeek(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	b := newCaptureBench(t, `echo "nice $(cut -d' ' -f19 /proc/$$/stat) limit $5"; echo '{}' >"$3"`, func(o *agent.CaptureOptions) { o.MemoryLimitBytes = 1 << 30 })
	own := func() string {
		self, err := os.ReadFile("/proc/self/stat")
		require.NoError(t, err)
		return strings.Fields(string(self)[strings.LastIndex(string(self), ")"):])[17]
	}
	before := own()
	require.NoError(t, b.take(t.Context(), writer(b.directory)))
	assert.Equal(t, "nice 19 limit 1073741824\n", b.stdout.String())
	assert.Equal(t, before, own(), "the parent keeps its own")

	b = newCaptureBench(t, `exec sleep 600`, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.NoError(t, b.take(ctx, writer(b.directory))) // long before the child's ten minutes
	assert.NotContains(t, b.log.String(), "level=ERROR", "our own end is no failure")
}

func TestNewCaptureNeedsADirectory(t *testing.T) {
	t.Parallel()
	_, err := agent.NewCapture(agent.CaptureOptions{Directory: filepath.Join(t.TempDir(), "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "create it")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = agent.NewCapture(agent.CaptureOptions{Directory: file})
	require.ErrorContains(t, err, "no directory")
}
