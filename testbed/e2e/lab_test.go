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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const (
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
	"stuck-monitor", "stuck-lock", "stuck-ended", "stuck-second", "stuck-class", "stuck-future", "stuck-socket", "slow-wait", "slow-work", "stuck-and-timer",
	"cleaner-blocked", "cleaner-handler", "cleaner-self", "timer-blocked", "executor-blocked", "old-dead",
	"healthy", "cleaner-live", "in-use-live", "in-use-died", "in-use-draining", "in-use-timer", "disabled",
}

// census is what a scenario says that it built, before the dump.
type census struct {
	Scenario    string                    `json:"scenario"`
	Finalizers  map[string]finding.States `json:"finalizers"` // by class
	Done        int64                     `json:"done"`
	QueueLength int64                     `json:"queue_length"`
	Schedulers  []scheduler               `json:"schedulers"`
	Findings    []verdict                 `json:"findings"`
	Healthy     bool                      `json:"healthy"`
}

// verdict is what a scenario expects to be found.
type verdict struct {
	Kind    string `json:"kind"`
	Culprit string `json:"culprit"`
	// Objects is how many objects are concerned, 0 if the scenario does not know.
	Objects int64 `json:"objects"`
	// Owner is the thread that has the lock, "" if there is none.
	Owner string `json:"owner"`
	// Remark says that this kind of dump proves no more than a remark.
	Remark bool `json:"-"`
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
	for _, jdk := range findJDKs(t) {
		if jdk.version >= 18 {
			testScenario(t, jdk, serial, "disabled", false)
			break
		}
	}
	for _, c := range jdk.collectors(t) {
		testScenario(t, jdk, c, "mixed", true)
	}
}

// full says whether to test everything.
func full() bool { return os.Getenv("E2E_FULL") != "" }

func testScenario(t *testing.T, jdk jdk, c collector, scenario string, live bool) {
	if jdk.lacks(scenario) {
		return
	}
	mode := "all"
	if live {
		mode = "live"
	}
	t.Run(strings.Join([]string{jdk.name, c.name, scenario, mode}, "/"), func(t *testing.T) {
		t.Parallel()
		dump := filepath.Join(t.TempDir(), "lab.hprof")
		counted := runLab(t, jdk, c, scenario, dump, mode)
		for i := range counted.Findings {
			f := &counted.Findings[i]
			f.Remark = f.Kind == undiscovered
		}

		plain := analyse(t, dump)
		if c.collectsBefore(jdk, live) {
			assertMovedOn(t, counted, plain)
		} else {
			assertCensus(t, counted.inDump(c, live), plain)
		}

		if !full() && scenario != "mixed" {
			return
		}
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
		"--add-opens", "java.base/jdk.internal.ref=ALL-UNNAMED",
	}, append(c.options, jdk.optionsOf(scenario)...)...), "-jar", jar, scenario, strconv.Itoa(labCount), dump, mode)

	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
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
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
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
