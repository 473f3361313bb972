package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const (
	labTimeout = 2 * time.Minute
	// labCount is how many objects a scenario makes. It divides by 12: some
	// scenarios take a third or a quarter of it.
	labCount = 3000
	// labPackage is where the lab's own classes are.
	labPackage = "testbed.lab."
	timerKind  = "java.util.Timer"
)

// scenarios are all that the lab knows.
var scenarios = []string{
	"held", "dead", "dead-chain", "soft", "weak", "phantom", "frame", "thread-local",
	"pending", "enqueued", "done", "mixed",
	"timer-cancelled", "timer-scheduled", "timer-mixed", "executor-cancelled", "executor-mixed",
	"healthy",
}

// census is what a scenario says that it built, before the dump.
type census struct {
	Scenario    string                    `json:"scenario"`
	Finalizers  map[string]finding.States `json:"finalizers"` // by class
	Done        int64                     `json:"done"`
	QueueLength int64                     `json:"queue_length"`
	Schedulers  []scheduler               `json:"schedulers"`
	Findings    []struct {
		Kind    string `json:"kind"`
		Culprit string `json:"culprit"`
	} `json:"findings"`
	Healthy bool `json:"healthy"`
}

// scheduler is the part of finding.Scheduler that a scenario knows exactly.
type scheduler struct {
	Kind      string `json:"kind"`
	Thread    string `json:"thread"`
	Size      int64  `json:"size"`
	Cancelled int64  `json:"cancelled"`
}

// TestLab compares what heapscan says of a dump with what the dumped program
// counted itself. E2E_FULL=1 takes every scenario on every JDK and collector,
// else a choice is taken that lasts less than a minute.
func TestLab(t *testing.T) {
	if full() {
		for _, jdk := range findJDKs(t) {
			for _, c := range jdk.collectors(t) {
				for _, scenario := range scenarios {
					testScenario(t, jdk, c, scenario, false)
					testScenario(t, jdk, c, scenario, true)
				}
			}
		}
		return
	}
	jdk := defaultJDK(t)
	for _, scenario := range scenarios {
		testScenario(t, jdk, serial, scenario, false)
	}
	for _, c := range jdk.collectors(t) {
		testScenario(t, jdk, c, "mixed", true)
	}
}

// full says whether to test everything.
func full() bool { return os.Getenv("E2E_FULL") != "" }

func testScenario(t *testing.T, jdk jdk, c collector, scenario string, live bool) {
	mode := "all"
	if live {
		mode = "live"
	}
	t.Run(strings.Join([]string{jdk.name, c.name, scenario, mode}, "/"), func(t *testing.T) {
		t.Parallel()
		dump := filepath.Join(t.TempDir(), "lab.hprof")
		want := runLab(t, jdk, c, scenario, dump, mode).inDump(c, live)

		plain := analyse(t, dump)
		assertCensus(t, want, plain)

		zipped := analyse(t, compress(t, dump))
		assert.Equal(t, "gzip", zipped.Dump.Compression)
		assert.Equal(t, plain.Finalizers, zipped.Finalizers, "gzip changes nothing")
		assert.Equal(t, plain.Schedulers, zipped.Schedulers, "gzip changes nothing")
		assert.Equal(t, plain.Heap, zipped.Heap, "gzip changes nothing")
	})
}

// runLab runs a scenario, which leaves a dump, and returns what it counted.
func runLab(t *testing.T, jdk jdk, c collector, scenario, dump, mode string) census {
	t.Helper()
	jar, err := harness.LabJar()
	require.NoError(t, err)
	args := append(append([]string{
		// Nothing is collected but on demand.
		"-Xms512m", "-Xmx512m", "-Xmn256m",
		"--add-opens", "java.base/java.lang.ref=ALL-UNNAMED",
	}, c.options...), "-jar", jar, scenario, strconv.Itoa(labCount), dump, mode)

	ctx, cancel := context.WithTimeout(t.Context(), labTimeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, jdk.java, args...)
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(t, err, "lab: %s%s", stdout, &stderr)

	// The JVM's own warnings go to standard output too.
	at := bytes.IndexByte(stdout, '{')
	require.GreaterOrEqual(t, at, 0, "lab printed no JSON: %s", stdout)
	decoder := json.NewDecoder(bytes.NewReader(stdout[at:]))
	decoder.DisallowUnknownFields()
	var result census
	require.NoError(t, decoder.Decode(&result), "lab: %s", stdout)
	assert.Equal(t, scenario, result.Scenario)
	return result
}

// inDump is the census as the dump shows it. A live dump of a collector that
// stops the world collects once more, in the same operation: dead objects are
// discovered, and shells collected. A concurrent collector dumps what it can
// reach from the roots, never the shells.
func (c census) inDump(by collector, live bool) census {
	shown := c
	shown.Finalizers = map[string]finding.States{}
	for class, states := range c.Finalizers {
		if live && !by.concurrent {
			states.Pending += states.RegisteredDead
			states.RegisteredDead = 0
		}
		shown.Finalizers[class] = states
	}
	if live || by.concurrent {
		shown.Done = 0
	}
	return shown
}

// analyse has heapscan read a dump.
func analyse(t *testing.T, dump string) *report.Report {
	t.Helper()
	program, err := harness.Program("heapscan")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), labTimeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "report", "--format", "json", dump)
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(t, err, "heapscan: %s", &stderr)
	var r report.Report
	require.NoError(t, json.Unmarshal(stdout, &r))
	return &r
}

// compress makes a gzip'ed copy of a dump beside it.
func compress(t *testing.T, dump string) string {
	t.Helper()
	in, err := os.Open(dump)
	require.NoError(t, err)
	defer in.Close()
	path := dump + ".gz"
	out, err := os.Create(path)
	require.NoError(t, err)
	w, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.Copy(w, in)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	return path
}

func assertCensus(t *testing.T, want census, got *report.Report) {
	t.Helper()
	assert.Empty(t, got.Warnings)
	assert.False(t, got.Dump.Truncated)
	require.NotNil(t, got.Finalizers)

	assertFinalizers(t, want, got.Finalizers)
	if want.Healthy {
		assertNoAlarm(t, got.Findings)
	}
	for _, f := range want.Findings {
		assertFinding(t, f.Kind, f.Culprit, got.Findings)
	}
	for _, s := range want.Schedulers {
		// Executors are not read yet; their dumps must do no harm.
		if s.Kind == timerKind {
			assert.Contains(t, knownParts(got.Schedulers), s)
		}
	}
}

// assertFinalizers compares class by class, leaving out the JDK's own classes.
// A healthy program goes on collecting: there only the classes counted are
// compared.
func assertFinalizers(t *testing.T, want census, got *finding.Finalizers) {
	t.Helper()
	byClass := map[string]finding.States{}
	var sum finding.States
	for _, c := range got.Classes {
		_, counted := want.Finalizers[c.Class]
		if counted || (strings.HasPrefix(c.Class, labPackage) && !want.Healthy) {
			byClass[c.Class] = c.States
		}
		assert.Equal(t, c.Total, total(c.States), c.Class)
		sum = add(sum, c.States)
	}
	assert.Equal(t, want.Finalizers, byClass)
	assert.Equal(t, got.States, sum, "classes and states are the same Finalizers")
	assert.Equal(t, got.Total, total(got.States))
	if want.Healthy {
		return
	}
	assert.Equal(t, want.Done, got.States.Done, "done")
	if assert.NotNil(t, got.QueueLength) {
		assert.Equal(t, want.QueueLength, *got.QueueLength, "queue length")
	}
}

// assertNoAlarm checks that no finding is more than a remark.
func assertNoAlarm(t *testing.T, findings []finding.Finding) {
	t.Helper()
	for _, f := range findings {
		assert.Equal(t, finding.SeverityInfo, f.Severity, "%s: %s", f.Kind, f.Title)
	}
}

// assertFinding checks that there is a finding of a kind that blames a class.
func assertFinding(t *testing.T, kind, culprit string, findings []finding.Finding) {
	t.Helper()
	var seen []string
	for _, f := range findings {
		if f.Kind == kind && f.Culprit.Class == culprit {
			return
		}
		seen = append(seen, f.Kind+" by "+f.Culprit.Class)
	}
	assert.Fail(t, "no finding "+kind+" by "+culprit, "findings: %q", seen)
}

func knownParts(schedulers []finding.Scheduler) []scheduler {
	known := make([]scheduler, len(schedulers))
	for i, s := range schedulers {
		known[i] = scheduler{Kind: s.Kind, Thread: s.Thread, Size: s.Size, Cancelled: s.Cancelled}
	}
	return known
}

func total(s finding.States) int64 {
	return s.RegisteredHeld + s.RegisteredDead + s.Pending + s.Enqueued + s.InProcessing + s.Done
}

func add(a, b finding.States) finding.States {
	return finding.States{
		RegisteredHeld: a.RegisteredHeld + b.RegisteredHeld,
		RegisteredDead: a.RegisteredDead + b.RegisteredDead,
		Pending:        a.Pending + b.Pending,
		Enqueued:       a.Enqueued + b.Enqueued,
		InProcessing:   a.InProcessing + b.InProcessing,
		Done:           a.Done + b.Done,
	}
}
