package push_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// The documented stop order flushes everything: what was appended before is
// there when the store is opened again, once.
func TestAppendedSamplesAreInTheStoreAfterAStop(t *testing.T) {
	storeDir, queueDir := t.TempDir(), t.TempDir()
	sample := series.Sample{
		Name:   "jvm_memory_used_bytes",
		Labels: []series.Label{{Name: "area", Value: "heap"}},
		TimeMs: time.Now().Add(-time.Minute).UnixMilli(), Value: 42,
	}
	for range 2 { // the second round replays the window of the first
		s, err := store.Open(store.Options{Dir: storeDir})
		require.NoError(t, err)
		p, err := push.Open(push.Options{Dir: queueDir, Destinations: []push.Destination{push.Embedded(s, store.HeldFor)}})
		require.NoError(t, err)
		require.NoError(t, p.Append([]series.Sample{sample}))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.Run(ctx))
		require.NoError(t, p.Close())
		require.NoError(t, s.Close())
	}
	s, err := store.Open(store.Options{Dir: storeDir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query?query=count_over_time(jvm_memory_used_bytes[5m])", nil))
	assert.Contains(t, w.Body.String(), `"metric":{"area":"heap"}`)
	assert.Contains(t, w.Body.String(), `"1"]`)
}

// A series that ended gives no value any more, all the way through encoder, queue
// and store; an ordinary NaN never gets there.
func TestAnEndedSeriesIsNotRepeated(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: dir})
	require.NoError(t, err)
	p, err := push.Open(push.Options{Dir: t.TempDir(), Destinations: []push.Destination{push.Embedded(s, store.HeldFor)}})
	require.NoError(t, err)
	at := time.Now().Add(-2 * time.Minute)
	f := func(name string, last float64) {
		require.NoError(t, p.Append([]series.Sample{
			{Name: name, TimeMs: at.Add(-10 * time.Second).UnixMilli(), Value: 42},
			{Name: name, TimeMs: at.UnixMilli(), Value: last},
		}))
	}
	f("ended", series.Stale())
	f("odd", math.NaN())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, p.Run(ctx))
	require.NoError(t, p.Close())
	require.NoError(t, s.Close())
	s, err = store.Open(store.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()

	query := func(name string) string {
		w := httptest.NewRecorder()
		target := "/api/v1/query?query=" + name + "&time=" + strconv.FormatInt(at.Add(time.Minute).Unix(), 10)
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		return w.Body.String()
	}
	assert.Contains(t, query("ended"), `"result":[]`)
	assert.Contains(t, query("odd"), `"42"]`)
}
