package dashboards_test

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// catalogue has the labels of every metric by its name.
func catalogue() map[string][]string {
	common := []string{"job", "instance"}
	labels := map[string][]string{}
	for _, m := range series.Catalogue() {
		labels[m.Name] = append(common, m.Labels...)
	}
	for _, m := range series.Own() {
		labels[m.Name] = append(common, m.Labels...)
	}
	return labels
}

// checkExpr parses expr, looks its metrics and label filters up, and returns the metrics.
func checkExpr(t *testing.T, where, expr string, labels map[string][]string) []string {
	t.Helper()
	parsed, err := metricsql.Parse(expr)
	require.NoError(t, err, "%s: %s", where, expr)
	var names []string
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			require.NotEmpty(t, filters, where)
			known, ok := labels[filters[0].Value]
			assert.True(t, ok && filters[0].Label == "__name__", "%s: %s is not in the catalogue", where, filters[0].Value)
			names = append(names, filters[0].Value)
			for _, f := range filters[1:] {
				assert.Contains(t, known, f.Label, "%s: %s", where, expr)
			}
		}
	})
	assert.NotEmpty(t, names, where)
	return names
}

func TestPanelsAskForMetricsOfTheCatalogue(t *testing.T) {
	labels := catalogue()
	uids := map[string]bool{}
	for name, b := range boards(t) {
		assert.NotEmpty(t, b.Title, name)
		assert.False(t, uids[b.UID] || b.UID == "", "%s: another one has the uid %s", name, b.UID)
		uids[b.UID] = true
		for _, row := range b.Rows {
			for _, p := range row.Panels {
				where := name + ": " + p.Title
				assert.NotEmpty(t, p.Text, where)
				require.NotEmpty(t, p.Series, where)
				for _, s := range p.Series {
					assert.NotEmpty(t, s.Legend, where)
					checkExpr(t, where, vmuiExpr(s.Expr), labels)
					known := strings.NewReplacer("$job", "a", "$instance", "b", "$__rate_interval", "5m").Replace(grafanaExpr(s.Expr))
					checkExpr(t, where, known, labels)
				}
			}
		}
	}
}

// rule is what the tests look at of an alerting rule.
type rule struct {
	Alert, Expr         string
	For                 string
	Labels, Annotations map[string]string
}

// TestRulesSayWhatToDoAndWhereToLook checks each rule, and that the panel it links to
// shows a metric of its expression.
func TestRulesSayWhatToDoAndWhereToLook(t *testing.T) {
	labels := catalogue()
	shown := map[string][]string{} // metrics by uid/panel
	for name, b := range boards(t) {
		id := 0
		for _, row := range b.Rows {
			for _, p := range row.Panels {
				id++
				for _, s := range p.Series {
					key := b.UID + "/" + strconv.Itoa(id)
					shown[key] = append(shown[key], checkExpr(t, name, vmuiExpr(s.Expr), labels)...)
				}
			}
		}
	}
	files, err := filepath.Glob("alerts/*.yml")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var content struct {
			Groups []struct {
				Rules []rule
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &content), file)
		for _, g := range content.Groups {
			for _, r := range g.Rules {
				assert.False(t, seen[r.Alert], "%s is there twice", r.Alert)
				seen[r.Alert] = true
				assert.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
				for _, a := range []string{"summary", "description", "panel"} {
					assert.NotEmpty(t, r.Annotations[a], "%s: %s", r.Alert, a)
				}
				link, query, _ := strings.Cut(r.Annotations["dashboard"], "?")
				values, err := url.ParseQuery(strings.NewReplacer("{{ ", "", " }}", "", "|", "").Replace(query))
				require.NoError(t, err, r.Alert)
				key := strings.TrimPrefix(link, "d/") + "/" + values.Get("viewPanel")
				asked := checkExpr(t, r.Alert, r.Expr, labels)
				assert.True(t, common(asked, shown[key]), "%s: panel %s shows %v, not %v", r.Alert, key, shown[key], asked)
				assert.True(t, slices.ContainsFunc(asked, func(name string) bool { return strings.Contains(r.Annotations["panel"], name) }), r.Alert)
			}
		}
	}
	assert.NotEmpty(t, seen)
}

// common tells whether two lists have an item in common.
func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}
