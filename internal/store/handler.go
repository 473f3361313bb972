package store

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmselect"

	"github.com/apm-sidecar/apm-sidecar/dashboards"
)

// maxFormBytes bounds the body of a query sent by POST.
const maxFormBytes = 1 << 20

// vmuiConfig is what vmui reads first, where nobody else answers that there are rules.
const vmuiConfig = `{"license":{"type":"opensource"},"vmalert":{"enabled":false}}`

// readRoutes are the paths passed on to VictoriaMetrics: everything that reads
// and that Grafana or vmui asks for. The list is complete on purpose: a path
// that deletes, writes, flushes or makes snapshots does not exist here.
func readRoutes() []string {
	return []string{
		"/api/v1/query",
		"/api/v1/query_range",
		"/api/v1/series",
		"/api/v1/labels",
		"/api/v1/label/{name}/values",
		"/api/v1/export",
		"/api/v1/export/csv",
		"/api/v1/metadata",
		"/api/v1/status/tsdb",
		"/api/v1/status/buildinfo",
		"/api/v1/status/metric_names_stats",
		"/api/v1/status/top_queries",
		"/api/v1/status/active_queries",
	}
}

// newHandler routes the reading API at / and, for vmui and Grafana, once more
// below /prometheus, and vmui with our own dashboards at /vmui/.
func newHandler() (http.Handler, error) {
	custom, err := customDashboards()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/prometheus"} {
		for _, path := range readRoutes() {
			h := http.StripPrefix(prefix, http.HandlerFunc(passOn))
			mux.Handle("GET "+prefix+path, h)
			mux.Handle("POST "+prefix+path, h)
		}
	}
	mux.Handle("GET /vmui", http.RedirectHandler("/vmui/", http.StatusFound))
	mux.Handle("GET /vmui/", http.HandlerFunc(passOn))
	mux.Handle("GET /vmui/custom-dashboards", serveJSON(custom))
	mux.Handle("GET /vmui/config.json", serveJSON([]byte(vmuiConfig)))
	return mux, nil
}

// passOn gives the request to VictoriaMetrics.
func passOn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	// VictoriaMetrics squeezes doubled slashes and strips prefixes by itself; a
	// path that changes under that is not the one that was routed.
	if strings.Contains(r.URL.Path, "//") || !vmselect.RequestHandler(w, r) {
		http.NotFound(w, r)
	}
}

// serveJSON answers with a fixed document.
func serveJSON(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

// customDashboards is the list vmui shows under Dashboards: every embedded file.
func customDashboards() ([]byte, error) {
	names, err := fs.Glob(dashboards.VMUI, "vmui/*.json")
	if err != nil {
		return nil, fmt.Errorf("store: embedded dashboards: %w", err)
	}
	list := make([]json.RawMessage, 0, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(dashboards.VMUI, name)
		if err != nil {
			return nil, fmt.Errorf("store: embedded dashboard: %w", err)
		}
		list = append(list, text)
	}
	return json.Marshal(map[string][]json.RawMessage{"dashboardsSettings": list})
}
