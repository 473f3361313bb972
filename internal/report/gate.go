package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// Gate says which findings a build or a deployment must not have. The zero value lets
// all pass.
type Gate struct {
	// Kinds are names of findings that fail whatever their severity.
	Kinds []string
	// Severity fails findings at least that severe; empty for none.
	Severity finding.Severity
	// MinBytes and MinObjects are what a finding must cost, both of them, to fail.
	MinBytes, MinObjects int64
}

// ErrNoVerdicts says that a report has no findings to judge by, not even none.
var ErrNoVerdicts = errors.New("the report has no verdicts: it is one of objects and bytes alone")

// ParseGate reads a list such as "timer-held,critical": kinds of findings, and
// severities, of which the mildest counts. Errors name what there is.
func ParseGate(list string) (Gate, error) {
	var g Gate
	severities := finding.Severities()
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		severity := finding.Severity(name)
		switch at := slices.Index(severities, severity); {
		case slices.Contains(finding.Kinds(), name):
			g.Kinds = append(g.Kinds, name)
		case at >= 0 && at >= slices.Index(severities, g.Severity):
			g.Severity = severity
		case at < 0:
			return Gate{}, fmt.Errorf("%q is no kind of finding and no severity; there are %s; and %s",
				name, joinSeverities(severities), strings.Join(finding.Kinds(), ", "))
		}
	}
	return g, nil
}

func joinSeverities(all []finding.Severity) string {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// Failing are the findings of r that do not pass, most important first. Errors:
// ErrNoVerdicts.
func (g Gate) Failing(r *Report) ([]finding.Finding, error) {
	if r.Findings == nil {
		return nil, ErrNoVerdicts
	}
	severities := finding.Severities()
	worst := slices.Index(severities, g.Severity)
	var failing []finding.Finding
	for _, f := range r.Findings {
		severity := slices.Index(severities, f.Severity)
		wanted := slices.Contains(g.Kinds, f.Kind) || severity >= 0 && severity <= worst
		if wanted && f.Bytes >= g.MinBytes && f.Objects >= g.MinObjects {
			failing = append(failing, f)
		}
	}
	return failing, nil
}
