package series_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

func TestOTelNames(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{Labels: base(), Naming: series.NamingOTel})
	for range 2 { // the second time from what is kept of the first
		got := texts(d.Derive(full()))
		assert.Contains(t, got, "jvm_memory_used_bytes{jvm_memory_pool_name=G1 Old Gen,jvm_memory_type=heap,kind=old} 251")
		assert.Contains(t, got, "jvm_memory_limit_bytes{jvm_memory_pool_name=Metaspace,jvm_memory_type=non_heap,kind=metaspace} 263")
		assert.Contains(t, got, "jvm_memory_used_after_last_gc_bytes{jvm_memory_pool_name=G1 Old Gen,jvm_memory_type=heap,kind=old} 301")
		assert.Contains(t, got, "jvm_cpu_time_seconds_total{} 1.5")
		assert.Contains(t, got, "db_client_connection_count{db_client_connection_pool_name=db,db_client_connection_state=used,kind=dbcp2} 1")
		assert.Contains(t, got, "jvm_memory_objects_pending_finalization{} 5", "what has no name there keeps its own")
		for _, line := range got {
			assert.NotContains(t, line, "jvm_memory_used_bytes{area=", "the totals would count every pool twice")
		}
	}
	assert.Contains(t, texts(d.ThreadStates(fullThreads())), "jvm_thread_count{jvm_thread_state=runnable} 2")

	_, ended := parts(d.Down(at()))
	assert.Contains(t, ended, "jvm_memory_used_bytes{jvm_memory_pool_name=G1 Old Gen,jvm_memory_type=heap,kind=old}", "markers go by the same names")
	assert.NotContains(t, ended, "jvm_memory_used_bytes{area=heap}")
	assert.NotContains(t, ended, "{}", "what has no name does not end")
}

func TestParseNaming(t *testing.T) {
	t.Parallel()
	n, err := series.ParseNaming("")
	require.NoError(t, err)
	assert.Equal(t, series.NamingPrometheus, n)
	_, err = series.ParseNaming("openmetrics")
	require.ErrorContains(t, err, `"openmetrics"`)
}

// TestSteadySeriesCostNoNewLabels: a poll like the one before shares its labels.
func TestSteadySeriesCostNoNewLabels(t *testing.T) {
	d := newDeriver()
	s := full()
	d.Derive(s)
	uptime := int64(10_000)
	allocations := testing.AllocsPerRun(100, func() {
		uptime += 1000
		s.Runtime.UptimeMs = jvm.Some(uptime)
		d.Derive(s)
	})
	assert.Less(t, allocations, 25.0)
}
