package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// oneAlert is a source with one alert, which remembers its acknowledgement.
type oneAlert struct {
	acknowledged []string
	err          error
}

func (o *oneAlert) List() []web.Alert {
	return []web.Alert{{
		ID: "0a", Name: "TargetDown", Severity: "critical", State: "active", Summary: "<b>shop</b> does not answer",
		Labels:      map[string]string{"job": "shop", "instance": "a:1"},
		Annotations: map[string]string{"panel": "javascript:alert(1)//elsewhere/vmui/#/?g0.expr=up", "description": "why"},
		Since:       time.Now().Add(-90 * time.Second),
	}}
}

func (o *oneAlert) Acknowledge(id, by, comment string) error {
	o.acknowledged = append(o.acknowledged, id+"|"+by+"|"+comment)
	return o.err
}

func (o *oneAlert) Faults() []string { return []string{"receiver hook: status 502"} }

func (o *oneAlert) Rules() int { return 21 }

func (o *oneAlert) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "rules "+r.URL.Path)
}

// serveAlerts runs a server that shows them.
func serveAlerts(t *testing.T, alerts web.Alerts, users ...web.User) string {
	t.Helper()
	opts := options()
	opts.Alerts, opts.Users = alerts, users
	return serve(t, opts)
}

func TestAlertsAreShown(t *testing.T) {
	base := serveAlerts(t, &oneAlert{})
	resp, page := get(t, base+"/alerts")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	for _, want := range []string{"✗&nbsp;active", "&lt;b&gt;shop&lt;/b&gt; does not answer", "21 rules", "receiver hook: status 502", `action="/alerts/0a/acknowledge"`, `href="/vmui/#/?g0.expr=up"`, "why", "shop · a:1"} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "javascript:")

	_, body := get(t, base+"/api/alerts")
	var got struct {
		Alerts []map[string]any `json:"alerts"`
		Faults []string         `json:"faults"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got.Alerts, 1)
	assert.Equal(t, "active", got.Alerts[0]["state"])
	assert.NotContains(t, got.Alerts[0], "completed_at", "what is not yet is absent")
	assert.Len(t, got.Faults, 1)

	for path, want := range map[string]string{
		"/api/v1/rules":                    "rules /api/v1/rules",
		"/prometheus/api/v1/alerts":        "rules /api/v1/alerts",
		"/prometheus/vmalert/api/v1/rules": "rules /vmalert/api/v1/rules",
		"/vmui/config.json":                "rules /vmui/config.json",
		"/prometheus/api/v1/query":         "store /prometheus/api/v1/query",
		"/vmui/custom-dashboards":          "store /vmui/custom-dashboards",
	} {
		_, body := get(t, base+path)
		assert.Equal(t, want, body)
	}
}

func TestAlertsAreAcknowledged(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(password, []byte("secret"), 0o600))
	kim := web.User{Name: "kim", PasswordFile: password}
	guest := web.User{Name: "guest", PasswordFile: password, ReadOnly: true}
	form := url.Values{"by": {"somebody"}, "comment": {"on it"}}.Encode()
	for name, c := range map[string]struct {
		path, origin, user string
		err                error
		form               string
		status             int
		want               []string
	}{
		"by the page":        {path: "/alerts/0a/acknowledge", user: "kim", form: form, status: http.StatusSeeOther, want: []string{"0a|kim|on it"}},
		"by a program":       {path: "/api/alerts/0a/acknowledge", user: "kim", form: form, status: http.StatusNoContent, want: []string{"0a|kim|on it"}},
		"without users":      {path: "/api/alerts/0a/acknowledge", form: form, status: http.StatusNoContent, want: []string{"0a|somebody|on it"}},
		"by who may look":    {path: "/alerts/0a/acknowledge", user: "guest", form: form, status: http.StatusForbidden},
		"so by the API":      {path: "/api/alerts/0a/acknowledge", user: "guest", form: form, status: http.StatusForbidden},
		"by another origin":  {path: "/alerts/0a/acknowledge", origin: "https://evil.example", form: form, status: http.StatusForbidden},
		"what is over":       {path: "/alerts/0a/acknowledge", err: errors.New("over"), form: form, status: http.StatusConflict, want: []string{"0a|somebody|on it"}},
		"what is not there":  {path: "/api/alerts/0a/acknowledge", err: web.ErrNoAlert, form: form, status: http.StatusNotFound, want: []string{"0a|somebody|on it"}},
		"by a form too long": {path: "/alerts/0a/acknowledge", form: "comment=" + strings.Repeat("x", 8<<10), status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			alerts := &oneAlert{err: c.err}
			var users []web.User
			if c.user != "" {
				users = []web.User{kim, guest}
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, serveAlerts(t, alerts, users...)+c.path, strings.NewReader(c.form))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.user != "" {
				r.SetBasicAuth(c.user, "secret")
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			resp, err := http.DefaultTransport.RoundTrip(r) // which follows no redirects
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, c.status, resp.StatusCode)
			assert.Equal(t, c.want, alerts.acknowledged)
		})
	}
}
