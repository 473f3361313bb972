package dashboards_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/dashboards"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// dashboard is what vmui understands of a file.
type dashboard struct {
	Title string `json:"title"`
	Rows  []struct {
		Title  string `json:"title"`
		Panels []struct {
			Title       string   `json:"title"`
			Description string   `json:"description"`
			Unit        string   `json:"unit"`
			Expr        []string `json:"expr"`
			Alias       []string `json:"alias"`
			ShowLegend  *bool    `json:"showLegend"`
			Width       int      `json:"width"`
		} `json:"panels"`
	} `json:"rows"`
}

// commonLabels are those of every series.
func commonLabels() []string { return []string{"job", "instance"} }

func TestPanelsAskForMetricsOfTheCatalogue(t *testing.T) {
	labels := map[string][]string{}
	for _, m := range series.Catalogue() {
		labels[m.Name] = append(commonLabels(), m.Labels...)
	}
	names, err := fs.Glob(dashboards.VMUI, "vmui/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := fs.ReadFile(dashboards.VMUI, name)
		require.NoError(t, err)
		var d dashboard
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&d), name)
		assert.NotEmpty(t, d.Title)
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				where := name + ": " + p.Title
				assert.NotEmpty(t, p.Description, where)
				assert.NotNil(t, p.ShowLegend, "%s: vmui hides the legend when it is not told", where)
				assert.Len(t, p.Alias, len(p.Expr), where)
				assert.True(t, p.Width >= 1 && p.Width <= 12, where)
				require.NotEmpty(t, p.Expr, where)
				for _, expr := range p.Expr {
					checkExpr(t, where, expr, labels)
				}
			}
		}
	}
}

// checkExpr parses expr and looks its metric names and label filters up.
func checkExpr(t *testing.T, where, expr string, labels map[string][]string) {
	t.Helper()
	parsed, err := metricsql.Parse(expr)
	require.NoError(t, err, "%s: %s", where, expr)
	selectors := 0
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		selectors++
		for _, filters := range m.LabelFilterss {
			require.NotEmpty(t, filters, where)
			known, ok := labels[filters[0].Value]
			assert.True(t, ok && filters[0].Label == "__name__", "%s: %s is not in the catalogue", where, filters[0].Value)
			for _, f := range filters[1:] {
				assert.Contains(t, known, f.Label, "%s: %s", where, expr)
			}
		}
	})
	assert.NotZero(t, selectors, where)
}
