package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// suspectScenarios are all that the lab of general suspects knows. The first ones are
// those of the quick run.
var suspectScenarios = []string{
	"growing-map", "thread-local-stale", "redeploy-tomcat", "pool-hikari", "wheel-blocked", "healthy-busy-tomcat", "executor-decorated", "threads-of-lost-pools",
	"direct-buffers", "growing-concurrent-map", "growing-queue", "growing-blocking-queue", "big-retainer", "duplicate-strings", "sparse-maps",
	"thread-local-idle", "redeploy-closed", "pool-tomcat", "pool-dbcp", "executor-reads", "growing-work-queue", "weak-map-of-itself",
	"deadlock-methods", "deadlock-locks", "deadlock-mixed", "deadlock-pool", "convoy-monitor", "convoy-buffers",
	"redeploy-left-behind", "pool-kept", "pool-statements", "queue-unpolled",
	"threads-of-held-pools", "threads-of-timers", "threads-of-clients", "threads-waiting",
	"healthy-thread-local", "healthy-redeploy", "healthy-plugins", "healthy-idle", "healthy-cache", "healthy-timer", "healthy-idle-tomcat",
	"healthy-pool-hikari", "healthy-pool-tomcat", "healthy-pool-dbcp", "healthy-wheel", "healthy-timeouts", "healthy-pools", "healthy-weak-map", "healthy-locks",
}

// quickSuspects is how many of them the quick run takes.
const quickSuspects = 8

// expectation is what a scenario says that the report must hold. There must be no other
// alarm.
type expectation struct {
	Scenario string `json:"scenario"`
	Findings []struct {
		Kind     string           `json:"kind"`
		Culprit  string           `json:"culprit"`
		Objects  int64            `json:"objects"`
		Severity finding.Severity `json:"severity"`
	} `json:"findings"`
	Schedulers []scheduler `json:"schedulers"`
}

// TestSuspects runs programs with one thing wrong, and programs with nothing wrong.
func TestSuspects(t *testing.T) {
	if full() {
		for _, jdk := range findJDKs(t) {
			for _, c := range jdk.collectors(t) {
				for _, scenario := range suspectScenarios {
					testSuspect(t, jdk, c, scenario)
				}
			}
		}
		return
	}
	for _, scenario := range suspectScenarios[:quickSuspects] {
		testSuspect(t, defaultJDK(t), serial, scenario)
	}
}

func testSuspect(t *testing.T, jdk jdk, c collector, scenario string) {
	t.Run(strings.Join([]string{jdk.name, c.name, scenario}, "/"), func(t *testing.T) {
		t.Parallel()
		checkSuspect(t, jdk, c, scenario)
	})
}

// checkSuspect runs a scenario and compares what it expects with what the report says.
func checkSuspect(t *testing.T, jdk jdk, c collector, scenario string, env ...string) {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "lab.hprof")
	began := time.Now()
	want := runSuspectsLab(t, jdk, c, scenario, dump, env)
	got := analyse(t, dump)
	assert.Empty(t, got.Warnings)
	var expected []verdict
	for _, w := range want.Findings {
		expected = append(expected, verdict{Kind: w.Kind, Culprit: w.Culprit})
		f := findingOf(t, got, w.Kind, w.Culprit)
		assert.GreaterOrEqual(t, f.Objects, w.Objects, f.Title)
		assert.Equal(t, w.Severity, f.Severity, f.Title)
		assert.LessOrEqual(t, len([]rune(f.Title+f.Summary)), 600)
	}
	assertNoOther(t, expected, got.Findings)
	for _, s := range want.Schedulers {
		i := slices.Index(knownParts(got.Schedulers), s)
		if assert.GreaterOrEqual(t, i, 0, "no scheduler %v among %v", s, got.Schedulers) {
			assertDue(t, began, got, got.Schedulers[i])
			assert.NotEmpty(t, got.Schedulers[i].HeadTask)
		}
	}
}

// suspectsDue is when all that the lab schedules is due, counted from its start.
const suspectsDue = 50 * time.Minute

// assertDue checks what the report says of when the tasks of a scheduler are due, in a
// lab that was started after a moment.
func assertDue(t *testing.T, began time.Time, r *report.Report, s finding.Scheduler) {
	t.Helper()
	created, err := time.Parse(time.RFC3339, r.Dump.Created)
	require.NoError(t, err)
	for _, due := range []string{s.HeadDue, s.LastDue} {
		at, err := time.Parse(time.RFC3339, due)
		require.NoError(t, err, s.Kind)
		assert.WithinRange(t, at, began.Add(suspectsDue-time.Second), created.Add(suspectsDue+time.Second), s.Kind)
	}
}

// findingOf returns the finding of a kind that blames a class.
func findingOf(t *testing.T, r *report.Report, kind, culprit string) finding.Finding {
	t.Helper()
	var seen []string
	for _, f := range r.Findings {
		if f.Kind == kind && f.Culprit.Class == culprit {
			return f
		}
		seen = append(seen, f.Kind+" by "+f.Culprit.Class)
	}
	require.Fail(t, "no finding "+kind+" by "+culprit, "findings: %q", seen)
	return finding.Finding{}
}

// runSuspectsLab runs a scenario, which leaves a dump, and returns what it expects.
func runSuspectsLab(t *testing.T, jdk jdk, c collector, scenario, dump string, env []string) expectation {
	t.Helper()
	jar, err := harness.SuspectsLabJar()
	require.NoError(t, err)
	args := append([]string{"-Xmx384m", "-XX:MaxDirectMemorySize=100m"}, c.options...)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, jdk.java, append(args, "-jar", jar, scenario, dump, "all")...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(t, err, "lab: %s%s", stdout, &stderr)
	_, line, ok := strings.Cut(string(stdout), "EXPECTED ")
	require.True(t, ok, "lab: %s%s", stdout, &stderr)
	var want expectation
	require.NoError(t, json.NewDecoder(strings.NewReader(line)).Decode(&want), "lab: %s", stdout)
	assert.Equal(t, want.Scenario, scenario)
	return want
}
