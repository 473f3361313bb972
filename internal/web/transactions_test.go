package web_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

// fakeTransactions remembers what it was asked.
type fakeTransactions struct {
	asked   ring.Query
	target  string
	columns int
}

func (f *fakeTransactions) Active(now time.Time, target string) *tx.Board {
	f.target = target
	return tx.NewBoard(now, []tx.TargetState{}, []tx.Active{{ID: "a-1", ElapsedMs: 4000, Bucket: "3-8", Class: tx.ClassSQL}})
}

func (f *fakeTransactions) List(q ring.Query) ([]tx.Summary, int) {
	f.asked = q
	return []tx.Summary{{ID: "a-1", ElapsedMs: 5000}}, 7
}

func (f *fakeTransactions) Heat(q ring.Query, columns int) *tx.Heat {
	f.asked, f.columns = q, columns
	return &tx.Heat{Total: 7}
}

func (f *fakeTransactions) Topology(q ring.Query, _ time.Time) *tx.Topology {
	f.asked = q
	return &tx.Topology{Edges: []tx.Edge{{Target: "shop/a", Kind: "database"}}}
}

func (*fakeTransactions) Record(id string, _ time.Time) (*tx.Record, error) {
	if id != "a-1" {
		return nil, ring.ErrNotFound
	}
	return &tx.Record{ID: id, Route: "/x"}, nil
}

func TestTransactions(t *testing.T) {
	opts := options()
	f := &fakeTransactions{}
	opts.Transactions = f
	url := serve(t, opts)

	resp, body := get(t, url+"/api/transactions/active")
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	var board tx.Board
	require.NoError(t, json.Unmarshal([]byte(body), &board))
	assert.Equal(t, 1, board.Total)
	assert.Equal(t, tx.BucketCount{Bucket: "3-8", Count: 1, Classes: []tx.ClassCount{{Class: tx.ClassSQL, Count: 1}}}, board.Buckets[2])

	_, body = get(t, url+"/api/transactions?from=2026-01-02T03:04:05Z&to=1767323046.5&min=1.5s&max=1m&route=/x&target=shop/a&class=sql&state=failed&limit=5")
	assert.JSONEq(t, `5000`, string(mustField(t, body, "transactions", 0, "elapsed_ms")))
	assert.True(t, f.asked.From.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	assert.True(t, f.asked.To.Equal(time.UnixMilli(1767323046500)))
	f.asked.From, f.asked.To = time.Time{}, time.Time{}
	assert.Equal(t, ring.Query{Min: 1500 * time.Millisecond, Max: time.Minute, Route: "/x", Target: "shop/a", Class: tx.ClassSQL, State: tx.StateFailed, Limit: 5}, f.asked)
	get(t, url+"/api/transactions?from=15m")
	assert.WithinDuration(t, time.Now().Add(-15*time.Minute), f.asked.From, time.Minute)

	_, body = get(t, url+"/api/transactions/heat?from=1h&class=sql&columns=80")
	assert.Contains(t, body, `"total":7`)
	assert.Equal(t, 80, f.columns)
	assert.Equal(t, tx.ClassSQL, f.asked.Class)
	assert.InDelta(t, time.Hour, f.asked.To.Sub(f.asked.From), float64(time.Second))
	_, body = get(t, url+"/api/topology?target=shop/a")
	assert.Contains(t, body, `"kind":"database"`)
	assert.Equal(t, "shop/a", f.asked.Target)
	assert.Equal(t, 15*time.Minute, f.asked.To.Sub(f.asked.From), "a quarter of an hour, as nothing else was asked for")
	get(t, url+"/api/transactions/active?target=shop/a")
	assert.Equal(t, "shop/a", f.target)

	for _, bad := range []string{"/heat?columns=0", "/heat?columns=501", "/heat?from=x", "/heat?from=5m&to=10m"} {
		resp, _ := get(t, url+"/api/transactions"+bad)
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, bad)
	}
	for _, bad := range []string{"from=x", "to=-5m", "min=x", "max=-1s", "limit=0", "limit=99999"} {
		resp, _ := get(t, url+"/api/transactions?"+bad)
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, bad)
	}

	resp, body = get(t, url+"/api/transactions/a-1")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, body, `"route":"/x"`)
	resp, body = get(t, url+"/api/transactions/b-2")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	assert.Contains(t, body, "no such transaction")
	resp, _ = get(t, url+"/api/v1/query")
	assert.Equal(t, http.StatusOK, resp.StatusCode, "the store's own routes stay")
}

// mustField is a field of the i-th element of a list in a JSON object.
func mustField(t *testing.T, body, list string, i int, field string) json.RawMessage {
	t.Helper()
	var object map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &object))
	var elements []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(object[list], &elements))
	return elements[i][field]
}
