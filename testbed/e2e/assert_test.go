package e2e

import (
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
		assert.Equal(t, *got.Finalizers.QueueLength, enqueued, "queue length")
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
	if want.Healthy {
		assertNoAlarm(t, got.Findings)
	}
	for _, f := range want.Findings {
		assertFinding(t, f.Kind, f.Culprit, got.Findings)
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
