package alert

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask is what the API answers to a path.
func (b *bench) ask(path string, into any) int {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	assert.NotContains(b.t, w.Body.String(), "/secret", "the URL of a receiver is secret")
	if into != nil {
		require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), into), w.Body.String())
	}
	return w.Code
}

// rulesAnswer is Prometheus' answer to /api/v1/rules, as far as Grafana reads it.
type rulesAnswer struct {
	Status string
	Data   struct {
		Groups []struct {
			ID, Name, File string
			Interval       float64
			Rules          []struct {
				ID, Name, Type, Health, State, Query, LastError string
				GroupID                                         string `json:"group_id"`
				Duration, EvaluationTime                        float64
				LastEvaluation                                  string
				Labels, Annotations                             map[string]string
				Alerts                                          []alertAnswer
			}
		}
	}
}

type alertAnswer struct {
	ID, State, Value, ActiveAt, Source string
	Labels, Annotations                map[string]string
}

func TestRulesAreShownAsPrometheusDoes(t *testing.T) {
	b := newBench(t, testRules)
	var rules rulesAnswer
	assert.Equal(t, http.StatusOK, b.ask("/api/v1/rules", &rules))
	assert.Equal(t, "success", rules.Status)
	require.Len(t, rules.Data.Groups, 1, "rules of one group are one group")
	require.Len(t, rules.Data.Groups[0].Rules, 3, "before anything is evaluated")

	b.write("a:1", 0, 0.95)
	b.pass()
	b.ask("/vmalert/api/v1/rules?datasource_type=prometheus", &rules)
	g := rules.Data.Groups[0]
	assert.Equal(t, "test", g.Name)
	assert.Equal(t, 10.0, g.Interval)
	down, full, sum := g.Rules[0], g.Rules[1], g.Rules[2]
	assert.Equal(t, []string{"Down", "alerting", "ok", "pending"}, []string{down.Name, down.Type, down.Health, down.State})
	assert.Equal(t, 30.0, down.Duration)
	assert.Equal(t, map[string]string{"severity": "critical"}, down.Labels)
	assert.Equal(t, "{{ $labels.instance }} is down", down.Annotations["summary"])
	assert.Equal(t, []string{"OldFull", "firing"}, []string{full.Name, full.State})
	assert.Equal(t, []string{"job:up:sum", "recording", ""}, []string{sum.Name, sum.Type, sum.State})
	require.Len(t, full.Alerts, 1)
	shown := b.Alerts()[0]
	assert.Equal(t, "OldFull", shown.Name())
	assert.Equal(t, "http://here:8429/alerts#"+shown.ID, full.Alerts[0].Source)
	assert.Equal(t, "0.95", full.Alerts[0].Value)
	assert.Equal(t, shown.Labels, full.Alerts[0].Labels)

	var alerts struct {
		Data struct{ Alerts []alertAnswer }
	}
	b.ask("/api/v1/alerts", &alerts)
	require.Len(t, alerts.Data.Alerts, 2)
	assert.Equal(t, "a:1 is down", alerts.Data.Alerts[0].Annotations["summary"])

	one := url.Values{"group_id": {g.ID}, "rule_id": {full.ID}, "alert_id": {full.Alerts[0].ID}}.Encode()
	for path, want := range map[string]string{"group": "test", "rule": "OldFull", "alert": "OldFull"} {
		var got struct {
			Name    string
			Updates []any
		}
		assert.Equal(t, http.StatusOK, b.ask("/vmalert/api/v1/"+path+"?"+one, &got))
		assert.Equal(t, want, got.Name)
		assert.Equal(t, path == "rule", len(got.Updates) > 0)
		assert.Equal(t, http.StatusBadRequest, b.ask("/vmalert/api/v1/"+path+"?group_id=1", nil))
	}
	var told struct {
		Data struct {
			Notifiers []struct{ Targets []struct{ Address string } }
		}
	}
	b.ask("/vmalert/api/v1/notifiers", &told)
	assert.Equal(t, "hook", told.Data.Notifiers[0].Targets[0].Address)
	assert.Equal(t, http.StatusNotFound, b.ask("/vmalert/api/v1/other", nil))
}

func TestRulesAreFiltered(t *testing.T) {
	b := newBench(t, testRules+strings.ReplaceAll(strings.TrimPrefix(testRules, "\ngroups:"), "name: test", "name: two"))
	b.write("a:1", 0, 0.95)
	b.pass()
	for query, want := range map[string]string{
		"":                                "test/Down test/OldFull test/job:up:sum two/Down two/OldFull two/job:up:sum",
		"type=record":                     "test/job:up:sum two/job:up:sum",
		"type=alert&rule_group[]=two":     "two/Down two/OldFull",
		"rule_name[]=Down&rule_group=two": "two/Down",
		"file[]=none":                     "",
	} {
		var rules rulesAnswer
		require.Equal(t, http.StatusOK, b.ask("/api/v1/rules?"+query, &rules))
		var got []string
		for _, g := range rules.Data.Groups {
			for _, r := range g.Rules {
				got = append(got, g.Name+"/"+r.Name)
			}
		}
		assert.Equal(t, want, strings.Join(got, " "), query)
	}
	var rules rulesAnswer
	b.ask("/api/v1/rules?exclude_alerts=true", &rules)
	assert.Empty(t, rules.Data.Groups[0].Rules[1].Alerts)
	assert.Equal(t, "firing", rules.Data.Groups[0].Rules[1].State)
	assert.Equal(t, http.StatusBadRequest, b.ask("/api/v1/rules?type=x", nil))
}
