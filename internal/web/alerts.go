package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Alerts are what the rules found.
type Alerts interface {
	// List has all of them, what needs somebody first.
	List() []Alert
	// Acknowledge notes who takes an active one on; ErrNoAlert says that there is none of
	// that ID.
	Acknowledge(id, by, comment string) error
	// Faults are what keeps alerts from being found or told.
	Faults() []string
	// Rules is how many rules there are.
	Rules() int
	// ServeHTTP answers Prometheus' and vmalert's API of rules.
	http.Handler
}

// ruleRoutes serves that API, for vmui and Grafana once more below /prometheus, and what
// vmui asks for to know that there are rules.
func ruleRoutes(mux *http.ServeMux, alerts Alerts) {
	mux.Handle("GET /vmui/config.json", alerts)
	for _, prefix := range []string{"", "/prometheus"} {
		for _, path := range []string{"/api/v1/rules", "/api/v1/alerts", "/vmalert/api/v1/"} {
			mux.Handle("GET "+prefix+path, http.StripPrefix(prefix, alerts))
		}
	}
}

// Alert is a row of the page /alerts; the fields are those of the API.
type Alert struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Severity string `json:"severity"`
	// State is pending, active, acknowledged or completed.
	State       string            `json:"state"`
	Summary     string            `json:"summary"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Value       string            `json:"value"`
	Since       time.Time         `json:"since"`
	FiredAt     time.Time         `json:"fired_at,omitzero"`
	CompletedAt time.Time         `json:"completed_at,omitzero"`
	// AcknowledgedBy and what follows are there once somebody did.
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"`
	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	Comment        string    `json:"comment,omitempty"`
	RuleGroup      string    `json:"rule_group"`
	RuleFile       string    `json:"rule_file"`
}

// For is how long it has been, or was, the case, for people.
func (a Alert) For() string {
	if a.CompletedAt.IsZero() {
		return unit.Duration(time.Since(a.Since))
	}
	return unit.Duration(a.CompletedAt.Sub(a.Since))
}

// Ended is how long ago it was over, for people.
func (a Alert) Ended() string { return unit.Duration(time.Since(a.CompletedAt)) + " ago" }

// Panel is the path of the chart that shows it, empty without one. Links lead to this
// server alone, whatever the rule's annotation says of where it is.
func (a Alert) Panel() string { return ownPath(a.Annotations["panel"]) }

// ownPath is the part of a link behind the host, if it leads to vmui.
func ownPath(link string) string {
	if i := strings.Index(link, "/vmui/"); i >= 0 {
		return link[i:]
	}
	return ""
}

// maxFormBytes bounds what a form may send.
const maxFormBytes = 8 << 10

// ErrNoAlert is returned by Alerts.Acknowledge.
var ErrNoAlert = errors.New("there is no such alert (any more); /alerts lists them")

// alertRoutes serves the alerts as a page and as JSON, and takes acknowledgements.
func alertRoutes(mux *http.ServeMux, show *pages, alerts Alerts) {
	ruleRoutes(mux, alerts)
	page := show.handler("alerts.html", "Alerts")
	mux.HandleFunc("GET /alerts", func(w http.ResponseWriter, r *http.Request) {
		list := alerts.List()
		count := map[string]int{}
		for _, a := range list {
			count[a.State]++
		}
		page(w, r, struct {
			Count  map[string]int
			Rules  int
			Faults []string
			Alerts []Alert
		}{count, alerts.Rules(), alerts.Faults(), list})
	})
	mux.HandleFunc("GET /api/alerts", func(w http.ResponseWriter, _ *http.Request) {
		list := alerts.List()
		if list == nil {
			list = []Alert{}
		}
		faults := alerts.Faults()
		if faults == nil {
			faults = []string{}
		}
		writeJSON(w, struct {
			Alerts []Alert  `json:"alerts"`
			Faults []string `json:"faults"`
		}{list, faults})
	})
	acknowledge := func(then func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
			if err := r.ParseForm(); err != nil {
				http.Error(w, "the form cannot be read", http.StatusBadRequest)
				return
			}
			by := r.PostForm.Get("by")
			if user, _, ok := r.BasicAuth(); ok {
				by = user // who it is was asked already
			}
			if err := alerts.Acknowledge(r.PathValue("id"), by, r.PostForm.Get("comment")); err != nil {
				status := http.StatusConflict
				if errors.Is(err, ErrNoAlert) {
					status = http.StatusNotFound
				}
				http.Error(w, err.Error(), status)
				return
			}
			then(w, r)
		}
	}
	mux.HandleFunc("POST /alerts/{id}/acknowledge", acknowledge(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/alerts", http.StatusSeeOther)
	}))
	mux.HandleFunc("POST /api/alerts/{id}/acknowledge", acknowledge(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
}
