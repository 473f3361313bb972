package e2e

import (
	"context"
	"fmt"
	"math"
	"strings"
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
	// A request's first and last step are long enough for a look at each.
	const lockEnds, waitEnds = 700, 1100
	for n := range 4 { // they queue for the one monitor
		asked.Go(func() {
			assert.NoError(t, ask(ctx, fmt.Sprintf("%s/run/lock/%d?steps=sleep:%d,sync:570,sleep:%d", app.URL, n, lockEnds+30*n, lockEnds+200)))
		})
	}
	asked.Wait()
	for n := range 4 {
		asked.Go(func() {
			assert.NoError(t, ask(ctx, fmt.Sprintf("%s/run/wait/%d?steps=sql:%d,sleep:840,http:%d", app.URL, n, waitEnds+130*n, waitEnds+160)))
		})
	}
	asked.Wait()
	truths, err := app.Truths()
	require.NoError(t, err)
	list := awaitRecords(ctx, t, sidecar, func(l []tx.Summary) bool { return len(l) >= 8 })
	late := looksMissed(ctx, t, sidecar)
	if late > 0 {
		t.Skipf("%.0f looks were late: on so busy a machine nobody saw what there was to measure", late)
	}
	require.Len(t, list, 8)
	seen, hidden := 0, 0
	for _, s := range list {
		var rec tx.Record
		require.NoError(t, sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
		ends := int64(waitEnds)
		if strings.HasPrefix(rec.Path, "/run/lock/") {
			ends = lockEnds
		}
		if m := rec.Measured; m == nil || m.FromMs >= ends || rec.Elapsed.Ms-m.ToMs >= ends {
			t.Logf("%s was not looked at in its first step and its last: %+v of %d ms", rec.Path, m, rec.Elapsed.Ms)
			hidden++
			continue
		}
		require.NotNil(t, rec.Measured.BlockedMs, "the JVM measures")
		// A thread that could go on, and has no processor, is to the JVM one that waits.
		did := truths[rec.Path].Classes
		queuedMs := did[stalled]
		assert.GreaterOrEqual(t, float64(*rec.Measured.BlockedMs), did["lock"]-30, "all of it is between the first look and the last")
		assert.LessOrEqual(t, float64(*rec.Measured.BlockedMs), did["lock"]+30+queuedMs)
		for _, c := range rec.Classes {
			t.Logf("%s: %s for %.0f ms, said %d +- %d; stalled for %.0f ms", rec.Path, c.Class, did[string(c.Class)], c.Ms, c.ErrorMs, queuedMs)
			if c.Class == tx.ClassLock {
				seen++
			}
			if c.Class == tx.ClassLock || c.Class == tx.ClassWait {
				assert.LessOrEqual(t, math.Abs(did[string(c.Class)]-float64(c.Ms)), 60+queuedMs, "%s of %s", c.Class, rec.Path)
			}
		}
	}
	if hidden > 0 {
		t.Skipf("%d of 8 requests were looked at too late for all to be measured", hidden)
	}
	assert.GreaterOrEqual(t, seen, 2, "looks found some of them at the lock")
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}
