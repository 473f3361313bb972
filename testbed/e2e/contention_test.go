package e2e

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// TestContentionIsExact: where the JVM measures for how long threads are blocked and wait,
// the times of locks and of waits are those, whatever the looks happened to hit.
func TestContentionIsExact(t *testing.T) {
	bench := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	x := experiment{}
	jdbcURL, _ := x.startDatabase(ctx, t, bench)
	app, err := bench.StartSlowWebApp(ctx, defaultJDK(t).java, "tomcat9", jdbcURL, "-Dslow.contention=true")
	require.NoError(t, err)
	require.NoError(t, ask(ctx, app.URL+"/run/warm/1?steps=sync:10,sleep:10,sql:10,http:10"))
	sidecar, err := bench.StartSidecarWith(ctx, app.JolokiaURL, "transactions: {interval: 500ms, threshold: 1500ms}\n")
	require.NoError(t, err)
	awaitFollowed(ctx, t, sidecar)
	var asked sync.WaitGroup
	for n := range 4 { // they queue for the one monitor
		asked.Go(func() {
			assert.NoError(t, ask(ctx, fmt.Sprintf("%s/run/lock/%d?steps=sleep:%d,sync:570,sleep:%d", app.URL, n, 700+30*n, 900)))
		})
	}
	asked.Wait()
	for n := range 4 {
		asked.Go(func() {
			assert.NoError(t, ask(ctx, fmt.Sprintf("%s/run/wait/%d?steps=sql:%d,sleep:840,http:1260", app.URL, n, 1100+130*n)))
		})
	}
	asked.Wait()
	truths, err := app.Truths()
	require.NoError(t, err)
	list := awaitRecords(ctx, t, sidecar, func(l []tx.Summary) bool { return len(l) >= 8 })
	require.Len(t, list, 8)
	late, err := sidecar.Metric(ctx, "apm_sidecar_looks_missed_total")
	require.NoError(t, err)
	if late > 0 {
		t.Skipf("%.0f looks were late: on so busy a machine nobody saw what there was to measure", late)
	}
	seen := 0
	for _, s := range list {
		var rec tx.Record
		require.NoError(t, sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
		did := truths[rec.Path].Classes
		require.NotNil(t, rec.Measured, "%+v", rec)
		require.NotNil(t, rec.Measured.BlockedMs, "the JVM measures")
		assert.InDelta(t, did["lock"], *rec.Measured.BlockedMs, 30, "all of it is between the first look and the last")
		for _, c := range rec.Classes {
			t.Logf("%s: %s for %.0f ms, said %d +- %d", rec.Path, c.Class, did[string(c.Class)], c.Ms, c.ErrorMs)
			if c.Class == tx.ClassLock {
				seen++
			}
			if c.Class == tx.ClassLock || c.Class == tx.ClassWait {
				assert.LessOrEqual(t, math.Abs(did[string(c.Class)]-float64(c.Ms)), 60.0, "%s of %s", c.Class, rec.Path)
			}
		}
	}
	assert.GreaterOrEqual(t, seen, 2, "looks found some of them at the lock")
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}
