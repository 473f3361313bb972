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
	// Active are those in flight.
	Active(now time.Time) *tx.Board
	// List are the slow ones on record that match, the newest first, and how many
	// there are without the limit.
	List(q ring.Query) ([]tx.Summary, int)
	// Record is one of either; ring.ErrNotFound without it.
	Record(id string, now time.Time) (*tx.Record, error)
}

// The bounds of a list.
const (
	defaultListed = 1000
	maxListed     = 20_000
)

// addTransactions routes the API.
func addTransactions(mux *http.ServeMux, t Transactions) {
	mux.HandleFunc("GET /api/transactions/active", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, t.Active(time.Now()))
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
	q := ring.Query{
		Route: v.Get("route"), Target: v.Get("target"), Class: tx.Class(v.Get("class")), State: tx.State(v.Get("state")),
		Limit: defaultListed,
	}
	var errs []error
	q.From = instant(v, "from", now, &errs)
	q.To = instant(v, "to", now, &errs)
	q.Min = duration(v, "min", &errs)
	q.Max = duration(v, "max", &errs)
	if raw := v.Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > maxListed {
			errs = append(errs, fmt.Errorf("limit is no number from 1 to %d", maxListed))
		}
		q.Limit = n
	}
	return q, errors.Join(errs...)
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
