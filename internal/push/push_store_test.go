package push_test

import (
	"context"
	"net/http"
	"net/http/httptest"
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
		p, err := push.Open(push.Options{Dir: queueDir, Destinations: []push.Destination{push.Embedded(s)}})
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
