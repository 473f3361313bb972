package alert

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestOwnRulesReadLittleOfHealthyJVMs counts the series that each rule reads where nothing is wrong:
// what reads all pools of thousands of JVMs takes a good part of the store's time, and at
// last more memory than a query may have, so that the rule is never evaluated.
func TestOwnRulesReadLittleOfHealthyJVMs(t *testing.T) {
	const jvms, most = 120, 3 // series a JVM
	b := newBench(t, testRules)
	for minute := 20; minute >= 0; minute -= 2 {
		var samples []series.Sample
		for i := range jvms {
			target := []series.Label{{Name: "instance", Value: fmt.Sprintf("jvm-%d:8778", i)}, {Name: "job", Value: "shop"}}
			samples = append(samples, healthy(target, b.now.Add(-time.Duration(minute)*time.Minute).UnixMilli())...)
		}
		require.NoError(t, b.store.Write(samples))
	}
	b.flush()
	files, err := readRules(true, nil)
	require.NoError(t, err)
	groups, err := parseRules(files)
	require.NoError(t, err)
	for _, g := range groups {
		ask := url.Values{"query": {g.Rules[0].Expr}, "time": {strconv.FormatInt(b.now.Unix(), 10)}, "nocache": {"1"}}
		w := httptest.NewRecorder()
		b.store.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/query?"+ask.Encode(), nil))
		var answer struct {
			Data  struct{ Result []any }
			Stats struct{ SeriesFetched string }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), w.Body)
		assert.Empty(t, answer.Data.Result, "%s: nothing is wrong", g.Rules[0].Alert)
		read, err := strconv.Atoi(answer.Stats.SeriesFetched)
		require.NoError(t, err)
		assert.LessOrEqual(t, read, most*jvms, g.Rules[0].Alert)
	}
}

// healthy is what the rules ask for of a JVM that is well.
func healthy(target []series.Label, timeMs int64) []series.Sample {
	var out []series.Sample
	add := func(name string, value float64, labels ...series.Label) {
		out = append(out, series.Sample{Name: name, Target: target, Labels: labels, TimeMs: timeMs, Value: value})
	}
	add(series.NameTargetUp, 1)
	add(series.NameOldRatio, 0.5)
	add("jvm_memory_old_full_in_seconds", 7*3600)
	add("jvm_memory_objects_pending_finalization", 0)
	add("jvm_threads_current", 80)
	add("jvm_uptime_seconds", 1e6)
	for i, kind := range []string{"eden", "survivor", "old", "metaspace", "class_space", "code", "code", "code"} {
		labels := []series.Label{{Name: "kind", Value: kind}, {Name: "pool", Value: fmt.Sprint(kind, i)}}
		add("jvm_memory_pool_committed_bytes", 1e6, labels...)
		if kind != "metaspace" { // which is unlimited in most JVMs
			add("jvm_memory_pool_max_bytes", 1e9, labels...)
		}
	}
	return out
}
