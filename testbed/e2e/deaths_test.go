package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// exported are all samples of a JVM that a VictoriaMetrics has, by series and time.
func exported(t *testing.T, base string) map[string]bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+`/api/v1/export?match[]={job="jvm"}`, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	out := map[string]bool{}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var series struct {
			Metric     map[string]string
			Timestamps []int64
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &series))
		labels, err := json.Marshal(series.Metric)
		require.NoError(t, err)
		for _, ms := range series.Timestamps {
			key := string(labels) + " " + strconv.FormatInt(ms, 10)
			assert.False(t, out[key], "%s is there twice", key)
			out[key] = true
		}
	}
	require.NoError(t, lines.Err())
	return out
}

// TestDeathsLoseNothing kills a sidecar that watches a real JVM, and the VictoriaMetrics
// that it sends to beside its own store, again and again: what one of the two stores has,
// the other has too.
func TestDeathsLoseNothing(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes two minutes")
	}
	bench := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	churn, err := bench.StartChurn(ctx, defaultJDK(t).java, harness.ChurnLoad{AllocateMiB: 5, AliveMiB: 5}, "-Xmx64m")
	require.NoError(t, err)
	vm, err := bench.VictoriaMetrics(ctx)
	if err != nil {
		t.Skip(err)
	}
	config := "slow_interval: 2s\nembedded: true\nalerting: {enabled: false}\nremote_write: ['" + vm.WriteURL + "']\n"
	const rounds = 8
	for round := range rounds {
		sidecar, err := bench.StartSidecarWith(ctx, churn.JolokiaURL, config)
		require.NoError(t, err)
		pause(ctx, time.Duration(1500+rand.IntN(3000))*time.Millisecond)
		if round%2 == 1 {
			vm.Kill()
			pause(ctx, time.Duration(rand.IntN(1500))*time.Millisecond)
			require.NoError(t, vm.Start(ctx))
		}
		require.NoError(t, syscall.Kill(sidecar.PID(), syscall.SIGKILL))
		<-sidecar.Ended()
	}
	require.NoError(t, churn.Stop(time.Minute))
	// Nobody answers any more: what comes now is that the target is down.
	sidecar, err := bench.StartSidecarWith(ctx, churn.JolokiaURL, config)
	require.NoError(t, err)
	end := time.Now().UnixMilli()
	until := func(all map[string]bool) map[string]bool {
		maps.DeleteFunc(all, func(key string, _ bool) bool {
			ms, err := strconv.ParseInt(key[len(key)-13:], 10, 64)
			require.NoError(t, err)
			return ms > end
		})
		return all
	}
	var here, there map[string]bool
	same := assert.Eventually(t, func() bool {
		here, there = until(exported(t, sidecar.URL)), until(exported(t, vm.QueryURL))
		return len(here) > 0 && maps.Equal(here, there)
	}, patience, time.Second)
	if !same {
		missing := func(in, from map[string]bool) []string {
			var out []string
			for key := range in {
				if !from[key] {
					out = append(out, key)
				}
			}
			slices.Sort(out)
			return out[:min(len(out), 10)]
		}
		t.Logf("only here: %q\nonly there: %q", missing(here, there), missing(there, here))
	}
	t.Logf("%d samples in both after %d deaths of the sidecar and %d of VictoriaMetrics", len(here), rounds, rounds/2)
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}
