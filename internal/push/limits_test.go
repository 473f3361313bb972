package push

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestGate: what is just within the limits passes, and what is beyond them by one does not.
func TestGate(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	label := func(name, value string) func(*series.Sample) {
		return func(s *series.Sample) { s.Labels = []series.Label{{Name: name, Value: value}} }
	}
	labels := func(own, target int) func(*series.Sample) {
		return func(s *series.Sample) {
			for i := range own + target {
				into := &s.Labels
				if i < target {
					into = &s.Target
				}
				*into = append(*into, series.Label{Name: "l" + strconv.Itoa(i), Value: "v"})
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*series.Sample)
		want   string
	}{
		"as it is":           {func(*series.Sample) {}, ""},
		"infinite":           {func(s *series.Sample) { s.Value = math.Inf(-1) }, "not_finite"},
		"not a number":       {func(s *series.Sample) { s.Value = math.NaN() }, "not_finite"},
		"no name":            {func(s *series.Sample) { s.Name = "" }, "name"},
		"long name":          {func(s *series.Sample) { s.Name = long(256) }, ""},
		"too long name":      {func(s *series.Sample) { s.Name = long(257) }, "name"},
		"early":              {func(s *series.Sample) { s.TimeMs = 1 }, ""},
		"without a time":     {func(s *series.Sample) { s.TimeMs = 0 }, "time"},
		"many labels":        {labels(20, 19), ""},
		"too many labels":    {labels(20, 20), "labels"},
		"long label":         {label(long(256), long(4096)), ""},
		"too long label":     {label(long(257), ""), "labels"},
		"too long value":     {label("l", long(4097)), "labels"},
		"label without name": {label("", "v"), "labels"},
		"a second name":      {label("__name__", "v"), "labels"},
		"bad target":         {func(s *series.Sample) { s.Target = []series.Label{{Name: ""}} }, "labels"},
	} {
		s := series.Sample{Name: "m", TimeMs: 1_000, Value: 1}
		c.change(&s)
		var g gate
		assert.Equal(t, c.want, g.refusal(&s), name)
		other := series.Sample{Name: "m", TimeMs: 1_000, Value: 1, Labels: []series.Label{{Name: "a", Value: "b"}}}
		assert.Empty(t, g.refusal(&other), "behind %s", name)
	}
}
