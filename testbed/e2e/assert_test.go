package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// assertCensus checks that the report has exactly these counts.
func assertCensus(t *testing.T, want census, got *report.Report) {
	t.Helper()
	assertWhole(t, got)
	assertFinalizers(t, want, got.Finalizers)
	assertConclusions(t, want, got)
}

// assertMovedOn checks the report of a dump before which finalizers went on
// running. Held objects are held; of the others it is only known that there are
// no more of them than were counted, and all of them where the Finalizer thread
// is stuck. Soft references were cleared, or not.
func assertMovedOn(t *testing.T, counted census, got *report.Report) {
	t.Helper()
	assertWhole(t, got)
	var stuck bool
	for _, states := range counted.Finalizers {
		stuck = stuck || states.InProcessing > 0
	}
	var enqueued int64
	for _, c := range got.Finalizers.Classes {
		enqueued += c.States.Enqueued
		want := counted.Finalizers[c.Class]
		if !strings.HasPrefix(c.Class, labPackage) || (counted.Healthy && want.RegisteredHeld == 0) {
			continue
		}
		assert.LessOrEqual(t, total(c.States), total(want), c.Class)
		if counted.Scenario != "soft" {
			assert.Equal(t, want.RegisteredHeld, c.States.RegisteredHeld, c.Class)
		}
		if stuck {
			assert.Equal(t, total(want), total(c.States), c.Class)
		}
	}
	if assert.NotNil(t, got.Finalizers.QueueLength) {
		// The thread may be between taking one off and counting it.
		assert.InDelta(t, *got.Finalizers.QueueLength, enqueued, 1, "queue length")
	}
	assertConclusions(t, counted, got)
}

// assertWhole checks that nothing was wrong with the dump.
func assertWhole(t *testing.T, got *report.Report) {
	t.Helper()
	assert.Empty(t, got.Warnings)
	assert.False(t, got.Dump.Truncated)
	require.NotNil(t, got.Finalizers)
}

// assertConclusions checks schedulers and findings.
func assertConclusions(t *testing.T, want census, got *report.Report) {
	t.Helper()
	for _, v := range want.Findings {
		if s := got.Finalizers.States; v.Kind == undiscovered && s.RegisteredDead+s.Pending < v.Objects {
			continue // finalized since
		}
		assertFinding(t, v, want.dead(), got.Findings)
	}
	if want.Healthy || len(want.Findings) > 0 {
		assertNoOther(t, want.Findings, got.Findings)
	}
	for _, s := range want.Schedulers {
		assert.Contains(t, knownParts(got.Schedulers), s)
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

// undiscovered is the finding of dead objects that a collection is to find yet: one
// that never alarms.
const undiscovered = "finalizers-waiting-for-old-gc"

// jdkOwn bounds how many objects of the JDK itself wait beside those of a scenario.
const jdkOwn = 100

// dead is how many objects a collection before the dump may have added to a queue.
func (c census) dead() int64 {
	var sum int64
	for _, states := range c.Finalizers {
		sum += states.RegisteredDead
	}
	return sum
}

// assertFinding checks that there is a finding of a kind that blames a class, with
// the right number of objects, at most dead more, and the right owner of the lock.
func assertFinding(t *testing.T, want verdict, dead int64, findings []finding.Finding) {
	t.Helper()
	var seen []string
	for _, f := range findings {
		seen = append(seen, f.Kind+" by "+f.Culprit.Class)
		if f.Kind != want.Kind || f.Culprit.Class != want.Culprit {
			continue
		}
		if want.Objects > 0 {
			assert.GreaterOrEqual(t, f.Objects, want.Objects, f.Title)
			assert.LessOrEqual(t, f.Objects, want.Objects+jdkOwn+dead, f.Title)
			assert.Positive(t, f.Bytes)
		}
		if want.Owner != "" && assert.NotNil(t, f.Evidence.Lock, f.Title) {
			assert.Equal(t, want.Owner, f.Evidence.Lock.Owner)
			if f.Evidence.Lock.OwnerState == "TERMINATED" {
				assert.Contains(t, f.Summary, "ended without letting go")
			} else {
				assert.Contains(t, strings.Join(f.Evidence.Lock.OwnerStack, "\n"), "HolderScenarios.parkForever")
			}
			assert.Contains(t, f.Summary, want.Owner)
		}
		assert.Equal(t, want.Remark, f.Severity == finding.SeverityInfo, "%s is %s", f.Kind, f.Severity)
		assert.LessOrEqual(t, len([]rune(f.Title+f.Summary)), 600)
		assert.NotEmpty(t, f.Advice)
		assert.NotEmpty(t, f.Evidence.Refutes)
		return
	}
	assert.Fail(t, "no finding "+want.Kind+" by "+want.Culprit, "findings: %q", seen)
}

// assertNoOther checks that no finding but the expected ones is more than a remark.
func assertNoOther(t *testing.T, want []verdict, findings []finding.Finding) {
	t.Helper()
	for _, f := range findings {
		expected := slices.ContainsFunc(want, func(v verdict) bool { return v.Kind == f.Kind && v.Culprit == f.Culprit.Class })
		if !expected {
			assert.Equal(t, finding.SeverityInfo, f.Severity, "%s: %s", f.Kind, f.Title)
		}
	}
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
