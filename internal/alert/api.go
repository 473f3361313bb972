package alert

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/notifier"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/rule"
)

// ServeHTTP answers Prometheus' and vmalert's API of rules and alerts, which Grafana and
// vmui ask: /api/v1/rules and /api/v1/alerts, and below /vmalert/ these and what vmui asks
// of a single one. An acknowledged alert is firing there.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	var answer any
	var err error
	switch strings.TrimPrefix(r.URL.Path, "/vmalert") {
	case "/api/v1/rules":
		var groups []*rule.ApiGroup
		groups, err = e.groups(asked)
		answer = success(map[string]any{"groups": groups})
	case "/api/v1/alerts":
		answer = success(map[string]any{"alerts": e.apiAlerts()})
	case "/api/v1/notifiers":
		answer = success(map[string]any{"notifiers": e.notifiers()})
	case "/api/v1/group":
		answer, err = e.group(asked.Get(rule.ParamGroupID))
	case "/api/v1/rule":
		answer, err = e.rule(asked.Get(rule.ParamGroupID), asked.Get(rule.ParamRuleID))
	case "/api/v1/alert":
		answer, err = e.alert(asked.Get(rule.ParamGroupID), asked.Get(rule.ParamAlertID))
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]string{"status": "error", "errorType": "bad_data", "error": err.Error()}
	}
	// A failed write is the client's own doing.
	_ = json.NewEncoder(w).Encode(answer)
}

func success(data any) any { return map[string]any{"status": "success", "data": data} }

// evaluated is a rule as the API shows it, with the group it is from.
type evaluated struct {
	group *rule.ApiGroup // without rules
	rule  rule.ApiRule
}

// apiOf is an evaluator's rule as it is now.
func apiOf(ev *evaluator, externalURL string) evaluated {
	group := ev.group.ToAPI()
	one := evaluated{group, group.Rules[0]}
	group.Rules = nil
	for _, a := range one.rule.Alerts {
		if id, err := strconv.ParseUint(a.ID, 10, 64); err == nil {
			a.SourceLink = pageOf(externalURL, alertID(id))
		}
	}
	return one
}

// evaluatedRules are all, in the order of their files.
func (e *Engine) evaluatedRules() []evaluated {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]evaluated, 0, len(e.order))
	for _, source := range e.order {
		out = append(out, e.shown[source])
	}
	return out
}

// groups are those that a query asks for, in the words of Prometheus.
func (e *Engine) groups(asked url.Values) ([]*rule.ApiGroup, error) {
	kind := ""
	switch t := asked.Get("type"); t {
	case "":
	case "alert":
		kind = rule.TypeAlerting
	case "record":
		kind = rule.TypeRecording
	default:
		return nil, fmt.Errorf("type %q: write alert or record", t)
	}
	wants := func(name, value string) bool {
		list := slices.Concat(asked[name+"[]"], asked[name])
		return len(list) == 0 || slices.Contains(list, value)
	}
	groups := []*rule.ApiGroup{}
	for _, one := range e.evaluatedRules() {
		if !wants("file", one.group.File) || !wants("rule_group", one.group.Name) || !wants("rule_name", one.rule.Name) ||
			kind != "" && kind != one.rule.Type {
			continue
		}
		if last := len(groups) - 1; last < 0 || groups[last].ID != one.group.ID {
			g := *one.group
			groups = append(groups, &g)
		}
		if without := asked.Get("exclude_alerts"); without == "true" || without == "1" {
			one.rule.Alerts = nil
		}
		add(groups[len(groups)-1], one.rule)
	}
	return groups, nil
}

// add appends a rule to a group and counts it.
func add(g *rule.ApiGroup, r rule.ApiRule) {
	g.Rules = append(g.Rules, r)
	if r.LastError != "" {
		g.Unhealthy++
	} else {
		g.Healthy++
	}
	if n := r.LastSeriesFetched; n != nil && *n == 0 && r.LastSamples == 0 {
		g.NoMatch++
	}
	if r.LastEvaluation.After(g.LastEvaluation) {
		g.LastEvaluation = r.LastEvaluation
	}
}

// apiAlerts are all that are pending or firing.
func (e *Engine) apiAlerts() []*rule.ApiAlert {
	alerts := []*rule.ApiAlert{}
	for _, one := range e.evaluatedRules() {
		alerts = append(alerts, one.rule.Alerts...)
	}
	return alerts
}

// group is the one with an ID.
func (e *Engine) group(id string) (*rule.ApiGroup, error) {
	groups, err := e.groups(nil)
	if i := slices.IndexFunc(groups, func(g *rule.ApiGroup) bool { return g.ID == id }); i >= 0 {
		return groups[i], err
	}
	return nil, fmt.Errorf("there is no group %q", id)
}

// rule is the one with an ID, and how its last evaluations went.
func (e *Engine) rule(group, id string) (*rule.ApiRuleWithUpdates, error) {
	for _, one := range e.evaluatedRules() {
		if one.rule.GroupID == group && one.rule.ID == id {
			return &rule.ApiRuleWithUpdates{ApiRule: one.rule, StateUpdates: one.rule.Updates}, nil
		}
	}
	return nil, fmt.Errorf("there is no rule %q in group %q", id, group)
}

// alert is the one with an ID.
func (e *Engine) alert(group, id string) (*rule.ApiAlert, error) {
	for _, a := range e.apiAlerts() {
		if a.GroupID == group && a.ID == id {
			return a, nil
		}
	}
	return nil, fmt.Errorf("there is no alert %q in group %q now", id, group)
}

// notifiers are the receivers, by name: their URLs are secret.
func (e *Engine) notifiers() []*notifier.ApiNotifier {
	targets := []*notifier.ApiTarget{}
	for _, s := range e.senders {
		target := &notifier.ApiTarget{Address: s.receiver.Name, Labels: map[string]string{"kind": string(s.receiver.Kind)}}
		if err := s.status(); err != nil {
			target.LastError = err.Error()
		}
		targets = append(targets, target)
	}
	return []*notifier.ApiNotifier{{Kind: notifier.TargetStatic, Targets: targets}}
}
