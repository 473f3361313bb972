package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

const (
	// maxSummaryFindings bounds the findings that become samples.
	maxSummaryFindings = 10
	// maxReportBytes bounds the report that is read.
	maxReportBytes = 64 << 20
)

// summary is what the sidecar reads of a report, by the names of its contract
// (docs/report-schema.md). Findings are sorted, most important first.
type summary struct {
	Findings []struct {
		Kind     string `json:"kind"`
		Severity string `json:"severity"`
		Culprit  struct {
			Class string `json:"class"`
		} `json:"culprit"`
		Objects int64 `json:"objects"`
		Bytes   int64 `json:"bytes"`
	} `json:"findings"`
}

func readSummary(file string) (*summary, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	defer f.Close()
	var s summary
	if err := json.NewDecoder(io.LimitReader(f, maxReportBytes)).Decode(&s); err != nil {
		return nil, fmt.Errorf("read the report %s: %w", file, err)
	}
	return &s, nil
}

// samples are the first findings as samples. Findings of the same kind, severity
// and class are one series: the first, which is the biggest, stands for them.
func (s *summary) samples(labels []series.Label, at time.Time) []series.Sample {
	type key struct{ kind, severity, class string }
	seen := map[key]bool{}
	var out []series.Sample
	for _, f := range s.Findings {
		k := key{f.Kind, f.Severity, jvm.StableClass(f.Culprit.Class)}
		if len(seen) == maxSummaryFindings || seen[k] {
			continue
		}
		seen[k] = true
		own := series.With(labels,
			series.Label{Name: "class", Value: k.class},
			series.Label{Name: "kind", Value: k.kind},
			series.Label{Name: "severity", Value: k.severity})
		out = append(out,
			series.Sample{Name: series.NameFindingObjects, Labels: own, TimeMs: at.UnixMilli(), Value: float64(f.Objects)},
			series.Sample{Name: series.NameFindingBytes, Labels: own, TimeMs: at.UnixMilli(), Value: float64(f.Bytes)})
	}
	return out
}
