package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

// Transactions is what the API tells about transactions.
type Transactions interface {
	// Active are those in flight, of one target or, for an empty one, of all.
	Active(now time.Time, target string) *tx.Board
	// List are the slow ones on record that match, the newest first, and how many
	// there are without the limit.
	List(q ring.Query) ([]tx.Summary, int)
	// Heat counts the slow ones on record that match by time and duration; Topology shows
	// with whom they and those in flight spent their time. Both need From and To.
	Heat(q ring.Query, columns int) *tx.Heat
	Topology(q ring.Query, now time.Time) *tx.Topology
	// Record is one of either; ring.ErrNotFound without it.
	Record(id string, now time.Time) (*tx.Record, error)
}

// The bounds of a list.
const (
	defaultListed = 1000
	maxListed     = 20_000

	defaultSpan    = 15 * time.Minute
	defaultColumns = 60
	maxColumns     = 500
)

// transactionRoutes serves the pages and the API.
func transactionRoutes(mux *http.ServeMux, show *pages, t Transactions) {
	list, record, topology := show.handler("transactions.html", "Transactions"), show.handler("record.html", "Transaction"), show.handler("topology.html", "Topology")
	mux.HandleFunc("GET /transactions", func(w http.ResponseWriter, r *http.Request) { list(w, r, nil) })
	mux.HandleFunc("GET /transactions/{id}", func(w http.ResponseWriter, r *http.Request) { record(w, r, r.PathValue("id")) })
	mux.HandleFunc("GET /topology", func(w http.ResponseWriter, r *http.Request) { topology(w, r, nil) })
	mux.HandleFunc("GET /api/transactions/active", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, t.Active(time.Now(), r.URL.Query().Get("target")))
	})
	mux.HandleFunc("GET /api/transactions", func(w http.ResponseWriter, r *http.Request) {
		q, err := listQuery(r.URL.Query(), time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		found, total := t.List(q)
		writeJSON(w, struct {
			Total        int          `json:"total"`
			Transactions []tx.Summary `json:"transactions"`
		}{total, found})
	})
	mux.HandleFunc("GET /api/transactions/heat", func(w http.ResponseWriter, r *http.Request) {
		q, err := spanQuery(r.URL.Query(), time.Now())
		columns := number(r.URL.Query(), "columns", defaultColumns, maxColumns, &err)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, t.Heat(q, columns))
	})
	mux.HandleFunc("GET /api/topology", func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		q, err := spanQuery(r.URL.Query(), now)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, t.Topology(q, now))
	})
	mux.HandleFunc("GET /api/transactions/{id}", func(w http.ResponseWriter, r *http.Request) {
		rec, err := t.Record(r.PathValue("id"), time.Now())
		switch {
		case errors.Is(err, ring.ErrNotFound):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, "the record cannot be read", http.StatusInternalServerError)
		default:
			writeJSON(w, rec)
		}
	})
}

// listQuery reads the parameters of a list: from, to (RFC 3339, or seconds since 1970, or a
// duration back from now), min, max (durations), route, target, class, state, limit.
func listQuery(v url.Values, now time.Time) (ring.Query, error) {
	q := ring.Query{Route: v.Get("route"), Target: v.Get("target"), Class: tx.Class(v.Get("class")), State: tx.State(v.Get("state"))}
	var errs []error
	q.From = instant(v, "from", now, &errs)
	q.To = instant(v, "to", now, &errs)
	q.Min = duration(v, "min", &errs)
	q.Max = duration(v, "max", &errs)
	err := errors.Join(errs...)
	q.Limit = number(v, "limit", defaultListed, maxListed, &err)
	return q, err
}

// spanQuery reads the same parameters where both ends of the time matter: the last quarter
// of an hour without them.
func spanQuery(v url.Values, now time.Time) (ring.Query, error) {
	q, err := listQuery(v, now)
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-defaultSpan)
	}
	if !q.To.After(q.From) {
		err = errors.Join(err, errors.New("to is not after from"))
	}
	return q, err
}

// number is the value of a parameter from 1 to most, otherwise without it.
func number(v url.Values, name string, otherwise, most int, err *error) int {
	raw := v.Get(name)
	if raw == "" {
		return otherwise
	}
	n, e := strconv.Atoi(raw)
	if e != nil || n < 1 || n > most {
		*err = errors.Join(*err, fmt.Errorf("%s is no number from 1 to %d", name, most))
	}
	return n
}

// instant is the time of a parameter, zero without it.
func instant(v url.Values, name string, now time.Time, errs *[]error) time.Time {
	raw := v.Get(name)
	if raw == "" {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, raw); err == nil {
		return t
	}
	if s, err := strconv.ParseFloat(raw, 64); err == nil {
		return time.UnixMilli(int64(s * 1000))
	}
	if d, err := time.ParseDuration(raw); err == nil && d >= 0 {
		return now.Add(-d)
	}
	*errs = append(*errs, fmt.Errorf("%s is no time: write it like 2006-01-02T15:04:05Z, 1136214245 or 15m (ago)", name))
	return time.Time{}
}

// duration is the value of a parameter, 0 without it.
func duration(v url.Values, name string, errs *[]error) time.Duration {
	raw := v.Get(name)
	if raw == "" {
		return 0
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d < 0 {
		*errs = append(*errs, fmt.Errorf("%s is no duration: write it like 1.5s or 300ms", name))
	}
	return d
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // a client that hung up needs no answer
}
