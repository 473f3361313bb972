package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Target is a row of the page /targets; the fields are those of the API.
type Target struct {
	Name            string            `json:"name"`
	URL             string            `json:"url"`
	Labels          map[string]string `json:"labels"`
	State           string            `json:"state"`
	Error           string            `json:"error"`
	Reason          string            `json:"reason"`
	LastPoll        time.Time         `json:"last_poll"`
	DurationSeconds float64           `json:"duration_seconds"`
	IntervalSeconds float64           `json:"interval_seconds"`
	Missing         []string          `json:"missing"`
	Polls           int               `json:"polls"`
	Failures        int               `json:"failures"`
}

// Took is the duration of the last poll for people.
func (t Target) Took() string {
	return unit.Duration(time.Duration(t.DurationSeconds * float64(time.Second)))
}

// Ago is the time since the last poll for people.
func (t Target) Ago() string {
	if t.LastPoll.IsZero() {
		return "never"
	}
	return unit.Duration(time.Since(t.LastPoll)) + " ago"
}

// targetRoutes serves the targets as a page and as JSON.
func targetRoutes(mux *http.ServeMux, show *pages, targets func() []Target) {
	page := show.handler("targets.html", "Targets")
	mux.HandleFunc("GET /targets", func(w http.ResponseWriter, r *http.Request) {
		list := targets()
		up := 0
		for _, t := range list {
			if t.State == "up" {
				up++
			}
		}
		page(w, r, struct {
			Up      int
			Targets []Target
		}{up, list})
	})
	mux.HandleFunc("GET /api/targets", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string][]Target{"targets": targets()})
	})
}

// reloadRoute has the configuration read again.
func reloadRoute(mux *http.ServeMux, reload func() error) {
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := reload(); err != nil {
			http.Error(w, "the configuration stays as it was: "+err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "reloaded")
	})
}
