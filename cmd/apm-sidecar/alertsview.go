package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/apm-sidecar/apm-sidecar/internal/alert"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// alertsView is the engine of the moment as the pages show it. It has ended where another
// one is about to take over.
type alertsView struct {
	engine func() *alert.Engine
}

// alertPages are the alerts as the pages show them, nil where no rules are evaluated.
func alertPages(engine func() *alert.Engine, c config.Config) web.Alerts {
	if c.Alerts() {
		return alertsView{engine}
	}
	return nil
}

// vmuiConfig is what vmui reads first: there are rules to show.
const vmuiConfig = `{"license":{"type":"opensource"},"vmalert":{"enabled":true}}`

// ServeHTTP implements web.Alerts.
func (a alertsView) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	engine := a.engine()
	switch {
	case r.URL.Path == "/vmui/config.json":
		w.Header().Set("Content-Type", "application/json")
		// A failed write is the browser's own doing.
		_, _ = io.WriteString(w, vmuiConfig)
	case engine == nil:
		http.Error(w, alert.ErrEnded.Error(), http.StatusServiceUnavailable)
	default:
		engine.ServeHTTP(w, r)
	}
}

// List implements web.Alerts.
func (a alertsView) List() []web.Alert {
	engine := a.engine()
	if engine == nil {
		return nil
	}
	var out []web.Alert
	for _, x := range engine.Alerts() {
		row := web.Alert{
			ID: x.ID, Name: x.Name(), Severity: x.Severity(), State: string(x.State), Summary: x.Summary(),
			Labels: x.Labels, Annotations: x.Annotations, Value: x.Value,
			Since: x.Since, FiredAt: x.FiredAt, CompletedAt: x.CompletedAt,
			RuleGroup: x.Source.Group, RuleFile: x.Source.File,
		}
		if k := x.Acknowledgement; k != nil {
			row.AcknowledgedBy, row.AcknowledgedAt, row.Comment = k.By, k.At, k.Comment
		}
		out = append(out, row)
	}
	return out
}

// Acknowledge implements web.Alerts.
func (a alertsView) Acknowledge(id, by, comment string) error {
	engine := a.engine()
	if engine == nil {
		return alert.ErrEnded
	}
	err := engine.Acknowledge(id, by, comment)
	if errors.Is(err, alert.ErrUnknown) {
		return web.ErrNoAlert
	}
	return err
}

// Faults implements web.Alerts.
func (a alertsView) Faults() []string {
	if engine := a.engine(); engine != nil {
		return engine.Faults()
	}
	return nil
}

// Rules implements web.Alerts.
func (a alertsView) Rules() int {
	if engine := a.engine(); engine != nil {
		return engine.Rules()
	}
	return 0
}
