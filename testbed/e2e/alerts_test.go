package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// messages remembers what a webhook was told: how it stands with the group, and the names
// of its alerts, of those that have ended with a minus.
type messages struct {
	mu   sync.Mutex
	told []string
}

func (m *messages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var message struct {
		Status      string            `json:"status"`
		GroupLabels map[string]string `json:"groupLabels"`
		Alerts      []struct {
			Status string            `json:"status"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &message) != nil {
		http.Error(w, "no message", http.StatusBadRequest)
		return
	}
	var names []string
	for _, a := range message.Alerts {
		name := a.Labels["alertname"]
		if a.Status == "resolved" {
			name = "-" + name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, message.Status+" "+message.GroupLabels["job"]+": "+strings.Join(names, " "))
}

func (m *messages) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.told)
}

// groupWait is how long the alerts of a cause are gathered.
const groupWait = 8 * time.Second

// aliveRules fire as long as the JVM lives: three alerts of one cause.
const aliveRules = `
groups:
  - name: alive
    interval: 1s
    rules:
      - {alert: Answers, expr: apm_sidecar_target_up == 1, for: 2s, labels: {severity: critical}, annotations: {summary: "{{ $labels.instance }} lives"}}
      - {alert: HasThreads, expr: jvm_threads_current > 0, labels: {severity: warning}}
      - {alert: UsesHeap, expr: 'jvm_memory_used_bytes{area="heap"} > 0', labels: {severity: warning}}
`

// TestAlertsReachPeople: a real JVM, rules evaluated in the sidecar, a real Alertmanager
// and a webhook. One cause sends one message to each; then every expression of the
// dashboards and of the shipped rules is asked of the store that the JVM filled.
func TestAlertsReachPeople(t *testing.T) {
	jdk := defaultJDK(t)
	bench := newBench(t)
	ctx := t.Context()

	var direct, through messages
	hook, behind := httptest.NewServer(&direct), httptest.NewServer(&through)
	t.Cleanup(hook.Close)
	t.Cleanup(behind.Close)
	manager, err := bench.Alertmanager(ctx, behind.URL)
	if errors.Is(err, harness.ErrNoReceiver) {
		t.Skip(err)
	}
	require.NoError(t, err)
	jvm, err := bench.StartChurn(ctx, jdk.java, harness.ChurnLoad{AllocateMiB: 20, AliveMiB: 5}, "-Xmx64m", "-XX:+UseSerialGC")
	require.NoError(t, err)
	rules := filepath.Join(bench.Dir, "alive.yml")
	require.NoError(t, os.WriteFile(rules, []byte(aliveRules), 0o600))
	sidecar, err := bench.StartSidecarWith(ctx, jvm.JolokiaURL, fmt.Sprintf(`
slow_interval: 1s
alerting:
  rules: [%q]
  builtin_rules: false # what they find depends on how long the test takes
  group_wait: %v
  group_interval: 2s
  notifiers:
    - {type: alertmanager, url: %q}
    - {type: webhook, name: chat, url: %q}
`, rules, groupWait, manager.QueryURL, hook.URL+"/secret"))
	require.NoError(t, err)

	active := func() (ids []string, states map[string]int, first time.Time) {
		var got struct {
			Alerts []struct {
				ID, State string
				FiredAt   time.Time `json:"fired_at"`
			}
		}
		require.NoError(t, sidecar.Get(ctx, "/api/alerts", &got))
		states, first = map[string]int{}, time.Now()
		for _, a := range got.Alerts {
			ids = append(ids, a.ID)
			states[a.State]++
			if !a.FiredAt.IsZero() && a.FiredAt.Before(first) {
				first = a.FiredAt
			}
		}
		return ids, states, first
	}
	const all = "firing jvm: Answers HasThreads UsesHeap"
	inTime := false // all are there before the group's time is over
	require.Eventually(t, func() bool {
		_, states, first := active()
		inTime = inTime || states["active"] == 3 && time.Since(first) < groupWait
		told := direct.all()
		return len(told) > 0 && told[len(told)-1] == all && len(through.all()) > 0
	}, patience, 200*time.Millisecond, "all are told")
	if inTime {
		assert.Equal(t, []string{all}, direct.all())
	}
	ids, states, _ := active()
	assert.Equal(t, map[string]int{"active": 3}, states)

	assertEverythingCanBeAsked(t, sidecar)

	resp, err := http.PostForm(sidecar.URL+"/api/alerts/"+ids[0]+"/acknowledge", url.Values{"by": {"kim"}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	_, states, _ = active()
	assert.Equal(t, map[string]int{"active": 2, "acknowledged": 1}, states)

	require.NoError(t, jvm.Stop(time.Minute))
	require.Eventually(t, func() bool {
		_, states, _ = active()
		return states["completed"] == 3
	}, patience, 200*time.Millisecond)
	require.Eventually(t, func() bool { return ended(direct.all()) && ended(through.all()) }, patience, 200*time.Millisecond)
	told := direct.all()
	assert.Equal(t, []string{all, "resolved jvm: -Answers -HasThreads -UsesHeap"}, told[len(told)-2:])
	for _, told := range [][]string{told, through.all()} {
		slices.Sort(told)
		assert.Equal(t, slices.Compact(slices.Clone(told)), told, "the same is not told twice")
	}
	assert.NotContains(t, sidecar.Tail(), "secret")
}

// ended tells whether a webhook was told last that all is over.
func ended(told []string) bool { return strings.HasPrefix(told[len(told)-1], "resolved") }

// assertEverythingCanBeAsked asks the store for every expression of the dashboards and
// rules, and that the metrics which any JVM has, and the sidecar's own, are there.
func assertEverythingCanBeAsked(t *testing.T, sidecar *harness.Sidecar) {
	t.Helper()
	exprs := shippedExpressions(t)
	require.Greater(t, len(exprs), 80)
	for _, expr := range exprs {
		_, err := sidecar.Query(t.Context(), expr)
		assert.NoError(t, err, expr)
	}
	for _, expr := range []string{
		"jvm_memory_objects_pending_finalization", `jvm_gc_pressure_ratio{phase="pause"}`, "jvm_threads_current", "60 * rate(jvm_gc_collection_seconds_count)", "apm_sidecar_target_up",
		"rate(process_cpu_seconds_total)", "apm_sidecar_push_queue_bytes", "apm_sidecar_push_queue_oldest_age_seconds",
		"apm_sidecar_push_dead_letter_bytes", "60 * rate(apm_sidecar_push_dropped_samples_total)", "apm_sidecar_config_reload_success", "apm_sidecar_alerts",
	} {
		assert.True(t, slices.ContainsFunc(exprs, func(shipped string) bool { return strings.Contains(shipped, expr) }), "%s is on no dashboard", expr)
		assert.Eventually(t, func() bool {
			found, err := sidecar.Query(t.Context(), expr)
			return err == nil && len(found) > 0
		}, patience, time.Second, "%s shows nothing", expr)
	}
}

// shippedExpressions are those of vmui's dashboards and of the alerting rules.
func shippedExpressions(t *testing.T) []string {
	t.Helper()
	root, err := harness.RepositoryRoot()
	require.NoError(t, err)
	var exprs []string
	boards, err := filepath.Glob(filepath.Join(root, "dashboards/vmui/*.json"))
	require.NoError(t, err)
	for _, file := range boards {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var board struct {
			Rows []struct {
				Panels []struct{ Expr []string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &board))
		for _, row := range board.Rows {
			for _, p := range row.Panels {
				exprs = append(exprs, p.Expr...)
			}
		}
	}
	rules, err := filepath.Glob(filepath.Join(root, "dashboards/alerts/*.yml"))
	require.NoError(t, err)
	for _, file := range rules {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var content struct {
			Groups []struct {
				Rules []struct{ Expr string }
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &content))
		for _, g := range content.Groups {
			for _, r := range g.Rules {
				exprs = append(exprs, r.Expr)
			}
		}
	}
	return exprs
}

// TestVmalertAndPrometheusTakeTheRules: Debian's vmalert and promtool read the files
// as they are.
func TestVmalertAndPrometheusTakeTheRules(t *testing.T) {
	root, err := harness.RepositoryRoot()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(root, "dashboards/alerts/*.yml"))
	require.NoError(t, err)
	tests, err := filepath.Glob(filepath.Join(root, "dashboards/alerts/tests/*.yml"))
	require.NoError(t, err)
	for _, args := range [][]string{
		{"vmalert", "-dryRun", "-rule=" + filepath.Join(root, "dashboards/alerts/*.yml")},
		append([]string{"promtool", "check", "rules"}, files...),
		append([]string{"promtool", "test", "rules"}, tests...),
	} {
		program, err := exec.LookPath(args[0])
		if err != nil {
			t.Logf("%s is not installed: apt-get install victoria-metrics prometheus", args[0])
			continue
		}
		out, err := exec.CommandContext(t.Context(), program, args[1:]...).CombinedOutput()
		assert.NoError(t, err, "%s: %s", args, out)
	}
}
