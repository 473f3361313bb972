package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// newMux routes everything the server answers.
func newMux(opts Options) *http.ServeMux {
	mux := http.NewServeMux()
	show := newPages(opts)
	assetRoutes(mux)
	index := show.handler("index.html", "")
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { index(w, r, newOverview(opts)) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		opts.Metrics(w)
		metrics.WriteProcessMetrics(w)
	})
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "healthy")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := opts.Ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	if opts.Evidence != nil {
		mux.HandleFunc("GET /api/evidence", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, opts.Evidence()) })
	}
	if opts.Transactions != nil {
		transactionRoutes(mux, show, opts.Transactions)
	}
	if opts.Targets != nil {
		targetRoutes(mux, show, opts)
	}
	if opts.Alerts != nil {
		alertRoutes(mux, show, opts.Alerts)
	}
	if opts.Reports != nil {
		reportRoutes(mux, show, opts.Reports)
	}
	if opts.Reload != nil {
		reloadRoute(mux, opts.Reload)
	}
	if opts.Store != nil {
		for _, prefix := range storePrefixes() {
			mux.Handle(prefix, opts.Store)
		}
	}
	return mux
}

// storePrefixes are the paths that the store answers. It has reading routes only.
func storePrefixes() []string { return []string{"/api/v1/", "/prometheus/", "/vmui/", "/vmui"} }

// isQuery tells the paths of the store.
func isQuery(path string) bool {
	return slices.ContainsFunc(storePrefixes(), func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// contentPolicy lets pages that are not ours load from this server alone. vmui sets styles
// from its script, hence the exception.
const contentPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// withHeaders adds the headers that make a browser careful.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
