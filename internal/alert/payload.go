package alert

import (
	"maps"
	"time"
)

// amAlert is an alert as POST /api/v2/alerts of an Alertmanager takes it.
type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt,omitzero"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// amAlertOf makes an alert end by itself at ends, unless it is told of again. None ends
// before it starts, though the clock was set back: an Alertmanager refuses such a one.
func amAlertOf(a *Alert, externalURL string, ends time.Time) amAlert {
	if a.State == Completed {
		ends = a.CompletedAt
	}
	starts := a.FiredAt
	if !ends.IsZero() && starts.After(ends) {
		starts = ends
	}
	return amAlert{
		Labels: a.Labels, Annotations: a.Annotations,
		StartsAt: starts, EndsAt: ends, GeneratorURL: pageOf(externalURL, a.ID),
	}
}

// pageOf is the address of an alert on our own page.
func pageOf(externalURL, id string) string {
	if externalURL == "" {
		return ""
	}
	return externalURL + "/alerts#" + id
}

// The words of an Alertmanager's webhook.
const (
	statusFiring   = "firing"
	statusResolved = "resolved"
)

// webhookMessage is version 4 of the message that an Alertmanager's webhook gets.
type webhookMessage struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []webhookAlert    `json:"alerts"`
}

// webhookAlert is one alert of it.
type webhookAlert struct {
	Status      string `json:"status"`
	Fingerprint string `json:"fingerprint"`
	amAlert
}

// webhookMessageOf writes a message for the receiver of that name.
func webhookMessageOf(m *message, receiver, externalURL string) webhookMessage {
	w := webhookMessage{
		Version: "4", GroupKey: m.key, TruncatedAlerts: m.truncated, Status: statusResolved,
		Receiver: receiver, GroupLabels: m.labels, ExternalURL: externalURL, Alerts: []webhookAlert{},
	}
	if len(m.firing) > 0 {
		w.Status = statusFiring
	}
	add := func(a *Alert, status string) {
		// The zero time says that it has not ended.
		w.Alerts = append(w.Alerts, webhookAlert{Status: status, Fingerprint: a.ID, amAlert: amAlertOf(a, externalURL, time.Time{})})
	}
	for i := range m.firing {
		add(&m.firing[i], statusFiring)
	}
	for i := range m.resolved {
		add(&m.resolved[i], statusResolved)
	}
	for i, a := range w.Alerts {
		if i == 0 {
			w.CommonLabels, w.CommonAnnotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
			continue
		}
		keepCommon(w.CommonLabels, a.Labels)
		keepCommon(w.CommonAnnotations, a.Annotations)
	}
	return w
}

// keepCommon removes from common what other does not say as well.
func keepCommon(common, other map[string]string) {
	maps.DeleteFunc(common, func(k, v string) bool {
		o, ok := other[k]
		return !ok || o != v
	})
}
