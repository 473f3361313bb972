package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

func TestParseGate(t *testing.T) {
	f := func(list string, want Gate) {
		t.Helper()
		got, err := ParseGate(list)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	f("timer-held", Gate{Kinds: []string{"timer-held"}})
	f(" timer-held , critical", Gate{Kinds: []string{"timer-held"}, Severity: finding.SeverityCritical})
	f("critical,warning", Gate{Severity: finding.SeverityWarning})
	f("warning,critical", Gate{Severity: finding.SeverityWarning})
	for _, list := range []string{"", "timer-hold", "critical,", "CRITICAL"} {
		_, err := ParseGate(list)
		assert.ErrorContains(t, err, "there are critical, warning, info; and abandoned-connections, ")
	}
}

func TestGate(t *testing.T) {
	r := seedReport() // a critical timer-held of 30,000 objects and 20,551,000 bytes, and something to know
	f := func(g Gate, want ...string) {
		t.Helper()
		failing, err := g.Failing(r)
		require.NoError(t, err)
		var kinds []string
		for _, f := range failing {
			kinds = append(kinds, f.Kind)
		}
		assert.Equal(t, want, kinds)
	}
	f(Gate{})
	f(Gate{Kinds: []string{"timer-held"}}, "timer-held")
	f(Gate{Kinds: []string{"finalizers-waiting-for-old-gc"}}, "finalizers-waiting-for-old-gc")
	f(Gate{Kinds: []string{"big-retainer"}})
	f(Gate{Severity: finding.SeverityCritical}, "timer-held")
	f(Gate{Severity: finding.SeverityWarning}, "timer-held")
	f(Gate{Severity: finding.SeverityInfo}, "timer-held", "finalizers-waiting-for-old-gc")
	f(Gate{Severity: finding.SeverityInfo, MinBytes: 313}, "timer-held")
	f(Gate{Severity: finding.SeverityWarning, MinBytes: 20_551_000, MinObjects: 30_000}, "timer-held")
	f(Gate{Severity: finding.SeverityWarning, MinBytes: 20_551_001})
	f(Gate{Severity: finding.SeverityWarning, MinObjects: 30_001})

	_, err := Gate{Severity: finding.SeverityInfo}.Failing(histogramReport())
	assert.ErrorIs(t, err, ErrNoVerdicts)
	r.Findings[0].Severity = "unheard-of"
	f(Gate{Severity: finding.SeverityCritical})
}
