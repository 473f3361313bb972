package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// TestTransactionsAcrossDeaths kills the sidecar under load, starts it again, and kills
// the server: what was on record stays, what goes on is followed again, and no request
// is mixed with another, or twice on record.
func TestTransactionsAcrossDeaths(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes a minute")
	}
	const threshold, phase = 1500 * time.Millisecond, 10 * time.Second
	config := fmt.Sprintf("transactions: {interval: 500ms, threshold: %v}\n", threshold)
	bench := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	db, err := bench.StartPostgres(ctx)
	require.NoError(t, err)
	app, err := bench.StartSlowWebApp(ctx, defaultJDK(t).java, "tomcat11", db.JDBCURL())
	require.NoError(t, err)
	sidecar, err := bench.StartSidecarWith(ctx, app.JolokiaURL, config)
	require.NoError(t, err)

	load, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop()
	for c := range 8 {
		clients.Go(func() {
			for n := 0; load.Err() == nil; n++ {
				// Its last request fails, as the server is killed.
				_ = ask(load, fmt.Sprintf("%s/run/%d/%d?steps=sql:%d,sleep:%d", app.URL, c, n, 20+rand.IntN(2000), 20+rand.IntN(2000)))
			}
		})
	}
	pause(ctx, phase)
	var before struct{ Transactions []tx.Summary }
	require.NoError(t, sidecar.Get(ctx, "/api/transactions?limit=20000", &before))
	require.NotEmpty(t, before.Transactions)
	require.NoError(t, syscall.Kill(sidecar.PID(), syscall.SIGKILL))
	<-sidecar.Ended()
	killed := time.Now()
	sidecar, err = bench.StartSidecarWith(ctx, app.JolokiaURL, config)
	require.NoError(t, err)
	again := time.Now().Add(2 * time.Second) // the first looks
	pause(ctx, phase)
	require.NoError(t, syscall.Kill(app.PID(), syscall.SIGKILL))
	<-app.Ended()
	dead := time.Now()
	stop()
	pause(ctx, 3*time.Second)

	var after struct{ Transactions []tx.Summary }
	require.NoError(t, sidecar.Get(ctx, "/api/transactions?limit=20000", &after))
	truths, err := app.Truths()
	require.NoError(t, err)
	seen, ids, lost := map[string]bool{}, map[string]bool{}, 0
	for _, s := range after.Transactions {
		truth, known := truths[s.Path]
		assert.False(t, seen[s.Path] && s.Path != "", "%s is on record once", s.Path)
		seen[s.Path], ids[s.ID] = true, true
		if s.State == tx.StateLost {
			lost++
			continue
		}
		if s.Path != "" && assert.True(t, known, s.Path) {
			assert.InDelta(t, truth.TotalMs, s.ElapsedMs, 700, s.Path)
		}
	}
	for _, s := range before.Transactions {
		assert.True(t, ids[s.ID], "%s outlives the sidecar", s.Path)
	}
	slow, missed := 0, 0
	for path, truth := range truths {
		ended := time.UnixMilli(truth.StartMs).Add(time.Duration(truth.TotalMs) * time.Millisecond)
		if truth.TotalMs < float64(threshold.Milliseconds()) || ended.After(killed.Add(-time.Second)) && ended.Before(again) || ended.After(dead.Add(-time.Second)) {
			continue
		}
		slow++
		if !seen[path] {
			missed++
			t.Logf("missed: %s, %.0f ms, ended %v before the death of the sidecar", path, truth.TotalMs, killed.Sub(ended))
		}
	}
	t.Logf("slow while somebody looked: %d, missed %d, lost with the server %d, on record %d", slow, missed, lost, len(after.Transactions))
	assert.Zero(t, missed)
	assert.Positive(t, lost, "those in flight when the server died")
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}
