package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Target is a row of the page /targets; the fields are those of the API.
type Target struct {
	Name            string            `json:"name"`
	Files           string            `json:"-"` // a regular expression for the names of its heap dumps and reports, without their endings
	URL             string            `json:"url"`
	Labels          map[string]string `json:"labels"`
	State           string            `json:"state"`
	Error           string            `json:"error"`
	Reason          string            `json:"reason"`
	LastError       string            `json:"last_error,omitempty"`
	LastErrorAt     time.Time         `json:"last_error_at,omitzero"`
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

// Recovered says what the last error was, and when, where a later poll went well; "" else.
func (t Target) Recovered() string {
	if t.State != "up" || t.LastError == "" {
		return ""
	}
	return unit.Duration(time.Since(t.LastErrorAt)) + " ago: " + t.LastError
}

// Page is the address of the target's own page.
func (t Target) Page() string { return "/target?name=" + url.QueryEscape(t.Name) }

// targetRoutes serves the targets as a page and as JSON, and each on a page of its own.
func targetRoutes(mux *http.ServeMux, show *pages, opts Options) {
	targets := opts.Targets
	page, one := show.handler("targets.html", "Targets"), show.handler("target.html", "Target")
	mux.HandleFunc("GET /target", func(w http.ResponseWriter, r *http.Request) {
		list := targets()
		name := r.URL.Query().Get("name")
		i := slices.IndexFunc(list, func(t Target) bool { return t.Name == name })
		if i < 0 {
			http.Error(w, "no such target is watched now; /targets lists them", http.StatusNotFound)
			return
		}
		one(w, r, newTargetView(opts, list[i]))
	})
	mux.HandleFunc("GET /targets", func(w http.ResponseWriter, r *http.Request) {
		list := slices.Clone(targets())
		up := 0
		for _, t := range list {
			if t.State == "up" {
				up++
			}
		}
		slices.SortStableFunc(list, func(a, b Target) int { return cmp.Compare(urgency(a), urgency(b)) })
		page(w, r, struct {
			Up      int
			Targets []Target
			Notes   []string
		}{up, list, opts.notes()})
	})
	mux.HandleFunc("GET /api/targets", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, struct {
			Targets []Target `json:"targets"`
			Notes   []string `json:"notes"`
		}{targets(), opts.notes()})
	})
}

// urgency is the place of a target on the page: those that are down come first, of sixty that is
// what somebody looks for.
func urgency(t Target) int { return slices.Index([]string{"down", "new", "up"}, t.State) }

// notes are what people should know now, never nil.
func (o Options) notes() []string {
	if o.Notes == nil {
		return []string{}
	}
	return append([]string{}, o.Notes()...)
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
