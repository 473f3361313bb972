package series_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// at is the time of the snapshots in these tests.
func at() time.Time { return time.UnixMilli(1_700_000_000_123) }

func usage(n int64) jvm.Usage {
	return jvm.Usage{Init: jvm.Some(n), Used: jvm.Some(n + 1), Committed: jvm.Some(n + 2), Max: jvm.Some(n + 3)}
}

// full is a snapshot in which nothing is missing.
func full() *jvm.Snapshot {
	after := usage(300)
	one := jvm.Some[int64](1)
	return &jvm.Snapshot{
		Time:    at(),
		Runtime: &jvm.Runtime{StartMs: jvm.Some[int64](1_000_000), UptimeMs: jvm.Some[int64](10_000)},
		Memory:  &jvm.Memory{Heap: usage(100), NonHeap: usage(200), PendingFinalizers: jvm.Some[int64](5)},
		Pools: []jvm.Pool{
			{Name: "G1 Old Gen", Heap: true, Kind: jvm.PoolOld, Usage: usage(250), AfterGC: &after},
			{Name: "Metaspace", Kind: jvm.PoolMetaspace, Usage: usage(260)},
		},
		GCs: []jvm.GC{
			{Name: "pausing", Phase: jvm.PhasePause, Generation: jvm.GenerationYoung, Count: jvm.Some[int64](3), TimeMs: jvm.Some[int64](1500),
				Last: &jvm.LastGC{ID: jvm.Some[int64](3), DurationMs: jvm.Some[int64](250), EndMs: jvm.Some[int64](9_000),
					Pools: []jvm.PoolChange{{Pool: "a", BeforeBytes: 10, AfterBytes: 4}, {Pool: "b", BeforeBytes: 1, AfterBytes: 2}}}},
			{Name: "beside", Phase: jvm.PhaseConcurrent, Generation: jvm.GenerationAll, Count: one, TimeMs: jvm.Some[int64](100)},
		},
		Threads: &jvm.Threads{Current: one, Daemon: one, Peak: one, Started: one},
		OS:      &jvm.OS{CPUTimeNs: jvm.Some[int64](1_500_000_000), LoadAverage: jvm.Some(1.5), OpenFiles: one},
		Servers: jvm.Servers{
			Connectors: []jvm.HTTPConnector{{Server: "tomcat", Name: "http-nio-8080", Requests: jvm.Some[int64](70), Errors: one, BusyNs: jvm.Some[int64](2_500_000_000), MaxNs: one,
				ReceivedBytes: one, SentBytes: one, Connections: one, KeepAlive: one, Most: one}},
			WorkerPools: []jvm.WorkerPool{{Server: "jetty", Name: "qtp", Current: one, Busy: one, Max: one, Queued: one}},
			Sessions:    []jvm.Sessions{{Server: "tomcat", Host: "localhost", Context: "/shop", Active: one, Created: one, Expired: one, Rejected: one}},
			JDBCPools: []jvm.JDBCPool{{Kind: "dbcp2", Name: "db", Used: one, Idle: one, Max: one, MinIdle: one, MaxIdle: one, Pending: one, Borrowed: one, Returned: one,
				Created: one, Destroyed: one, Dropped: one, BorrowMeanMs: one, BorrowMaxMs: one}},
		},
	}
}

// fullDetails are details in which nothing is missing.
func fullDetails() *jvm.Details {
	one := jvm.Some[int64](1)
	return &jvm.Details{
		Time:           at(),
		VM:             &jvm.VM{Name: "OpenJDK", Vendor: "Acme", Version: "25"},
		Classes:        &jvm.Classes{Loaded: one, LoadedTotal: one, UnloadedTotal: one},
		CompilationMs:  jvm.Some[int64](2500),
		GCCPUTimeNs:    one,
		Peaks:          []jvm.Peak{{Pool: jvm.Pool{Name: "Metaspace", Kind: jvm.PoolMetaspace}, UsedBytes: one}},
		Processors:     one,
		MaxFiles:       one,
		ProcessLoad:    jvm.Some(0.25),
		SystemLoad:     jvm.Some(0.5),
		Buffers:        []jvm.BufferPool{{Name: "direct", Count: one, UsedBytes: one, CapacityBytes: one}},
		MaxDirectBytes: one,
	}
}

// fullThreads is a look at three threads.
func fullThreads() *jvm.ThreadStates {
	return &jvm.ThreadStates{Time: at(), Count: map[jvm.ThreadState]int64{"RUNNABLE": 2, "BLOCKED": 1}, Deadlocked: jvm.Some[int64](0), DeadlockedMonitor: jvm.Some[int64](0)}
}

// everything derives all tiers once, and the fast one until all that needs a history
// is there.
func everything() []series.Sample {
	d := newDeriver()
	var samples []series.Sample
	for i := range int64(8) {
		s := full()
		uptime := 10_000 + i*10_000
		s.Runtime.UptimeMs = jvm.Some(uptime)
		s.Pools[0].AfterGC.Used = jvm.Some(i)
		s.GCs[0].Last.Pools[0].Pool = "G1 Old Gen"
		samples = append(samples, d.Derive(s)...)
	}
	samples = append(samples, d.Details(fullDetails())...)
	samples = append(samples, d.ThreadStates(fullThreads())...)
	samples = append(samples, d.Queue(&jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "A", Count: 9}, {Class: "B", Count: 1}}}, at())...)
	samples = append(samples, d.Registered(&jvm.RegisteredFinalizers{Classes: []jvm.RegisteredClass{{Class: "A", Objects: 7, Run: 3}}}, at())...)
	samples = append(samples, d.Histogram(leakHistogram())...)
	one, some := jvm.Some[int64](1), jvm.Some(1.5)
	memory := map[string]int64{}
	for _, f := range []string{"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"} {
		memory[f] = 1
	}
	samples = append(samples, d.Host(&jvm.Host{
		Time: at(), CPUs: []jvm.CPU{{Name: "0", Seconds: make([]float64, len(jvm.CPUModes()))}}, Load1: some, Load5: some, Load15: some, Memory: memory,
		SwapIn: one, SwapOut: one, Disks: []jvm.Disk{{Name: "sda"}}, Filesystems: []jvm.Filesystem{{Device: "/dev/sda1", Mount: "/", Type: "ext4"}},
		FilesAllocated: one, FilesMax: one, ResidentBytes: one, VirtualBytes: one, SwapBytes: one,
		Cgroup: jvm.Cgroup{MemoryLimitBytes: one, MemoryUsedBytes: one, CPUQuotaUs: one, CPUPeriodUs: one, Periods: one, Throttled: one, ThrottledSeconds: some, Threads: one, ThreadsMax: one},
	})...)
	for i := range 2 {
		look := finalizerIn("com.acme.Conn", "BLOCKED")
		look.Time = at().Add(time.Duration(i) * time.Second)
		_, more := d.FinalizerThread(look, jvm.Some[int64](10))
		samples = append(samples, more...)
	}
	return samples
}

func newDeriver() *series.Deriver { return series.NewDeriver(series.Options{Labels: base()}) }

func base() []series.Label {
	return series.TargetLabels(jvm.Target{Job: "shop", Instance: "h:1", Labels: map[string]string{"env": "test", "empty": ""}})
}

// text is a sample without the target's labels: name{own} value.
func text(s series.Sample) string {
	var own []string
	for _, l := range s.AllLabels() {
		if l.Name != "job" && l.Name != "instance" && l.Name != "env" {
			own = append(own, l.Name+"="+l.Value)
		}
	}
	return fmt.Sprintf("%s{%s} %v", s.Name, strings.Join(own, ","), s.Value)
}

func texts(samples []series.Sample) []string {
	out := make([]string, len(samples))
	for i, s := range samples {
		out[i] = text(s)
	}
	return out
}

func TestDeriveValues(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	got := texts(d.Derive(full()))
	got = append(got, texts(d.Details(fullDetails()))...)
	got = append(got, texts(d.ThreadStates(fullThreads()))...)
	got = append(got, texts(d.Queue(&jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "A", Count: 9}, {Class: "B", Count: 1}}}, at()))...)
	for _, want := range []string{
		"up{} 1",
		"jvm_memory_used_bytes{area=heap} 101",
		"jvm_memory_max_bytes{area=nonheap} 203",
		"jvm_memory_pool_used_bytes{area=heap,kind=old,pool=G1 Old Gen} 251",
		"jvm_memory_pool_used_bytes{area=nonheap,kind=metaspace,pool=Metaspace} 261",
		"jvm_memory_pool_collection_used_bytes{area=heap,kind=old,pool=G1 Old Gen} 301",
		"jvm_memory_objects_pending_finalization{} 5",
		"jvm_finalizer_queue_objects{class=A} 9",
		"jvm_finalizer_queue_classes{} 2",
		"jvm_gc_collection_seconds_count{gc=pausing,generation=young,phase=pause} 3",
		"jvm_gc_collection_seconds_sum{gc=pausing,generation=young,phase=pause} 1.5",
		"jvm_gc_last_duration_seconds{gc=pausing,phase=pause} 0.25",
		"jvm_gc_last_end_timestamp_seconds{gc=pausing} 1009",
		"jvm_gc_last_before_bytes{gc=pausing,pool=a} 10",
		"jvm_gc_last_after_bytes{gc=pausing,pool=b} 2",
		"jvm_gc_last_freed_bytes{gc=pausing} 5",
		"jvm_compilation_time_seconds_total{} 2.5",
		"process_cpu_seconds_total{} 1.5",
		"process_start_time_seconds{} 1000",
		"jvm_uptime_seconds{} 10",
		"jvm_threads_state{state=RUNNABLE} 2",
		"jvm_threads_state{state=NEW} 0",
		"jvm_memory_old_after_gc_ratio{} 0.9933993399339934",
		"appserver_requests_total{connector=http-nio-8080,server=tomcat} 70",
		"appserver_request_duration_seconds_sum{connector=http-nio-8080,server=tomcat} 2.5",
		"jdbc_pool_connections{kind=dbcp2,pool=db,state=used} 1",
		"jvm_runtime_info{runtime=OpenJDK,vendor=Acme,version=25} 1",
	} {
		assert.Contains(t, got, want)
	}
	assert.NotContains(t, strings.Join(got, "\n"), "jvm_gc_pressure_ratio", "one poll has no difference")
	assert.NotContains(t, strings.Join(got, "\n"), "jvm_memory_pool_collection_used_bytes{area=nonheap")
}

func TestSamplesAreWellFormed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	d := newDeriver()
	for _, s := range slices.Concat(d.Derive(full()), d.Details(fullDetails()), d.ThreadStates(fullThreads())) {
		assert.Equal(t, at().UnixMilli(), s.TimeMs)
		assert.True(t, slices.IsSortedFunc(s.AllLabels(), func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) }), text(s))
		assert.Contains(t, s.AllLabels(), series.Label{Name: "job", Value: "shop"})
		assert.Contains(t, s.AllLabels(), series.Label{Name: "instance", Value: "h:1"})
		assert.Contains(t, s.AllLabels(), series.Label{Name: "env", Value: "test"})
		for _, l := range s.AllLabels() {
			assert.NotEmpty(t, l.Value, text(s))
		}
		key := fmt.Sprint(s.Name, s.AllLabels())
		assert.False(t, seen[key], "%s comes twice", key)
		seen[key] = true
	}
}

// TestCatalogueIsExact: whatever is derived is in the catalogue with its labels,
// and whatever is in the catalogue is derived.
func TestCatalogueIsExact(t *testing.T) {
	t.Parallel()
	samples := everything()
	want := map[string][]string{}
	for _, m := range series.Catalogue() {
		require.NotContains(t, want, m.Name, "twice in the catalogue")
		assert.True(t, slices.IsSorted(m.Labels), m.Name)
		assert.Equal(t, m.Type == series.Counter, strings.HasSuffix(m.Name, "_total") || strings.HasSuffix(m.Name, "_seconds_sum") || strings.HasSuffix(m.Name, "_seconds_count") || strings.HasSuffix(m.Name, "_seconds_bucket"), m.Name)
		assert.True(t, strings.HasSuffix(m.Help, "."), "%s: help is a sentence", m.Name)
		want[m.Name] = m.Labels
	}
	derived := map[string]bool{}
	for _, s := range samples {
		derived[s.Name] = true
		var own []string
		for _, l := range s.AllLabels() {
			if l.Name != "job" && l.Name != "instance" && l.Name != "env" {
				own = append(own, l.Name)
			}
		}
		assert.Contains(t, want, s.Name)
		assert.Equal(t, want[s.Name], own, s.Name)
	}
	for name := range want {
		if name == series.NameFindingObjects || name == series.NameFindingBytes {
			continue // they come from heap dumps
		}
		if strings.HasPrefix(name, "apm_transaction") || strings.HasPrefix(name, "apm_slow_transaction") {
			continue // they come from the looks at requests in flight
		}
		assert.True(t, derived[name], "%s is in the catalogue and never derived", name)
	}
}

func TestMissingPartsGiveNoSamples(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"up{} 1", "apm_sidecar_target_up{} 1", "apm_sidecar_heap_dump_in_progress{} 0"}, texts(newDeriver().Derive(&jvm.Snapshot{Time: at()})))

	s := full()
	s.Memory.Heap.Max = jvm.Count(-1)
	s.OS.LoadAverage = jvm.Load(-1)
	got := strings.Join(texts(newDeriver().Derive(s)), "\n")
	assert.NotContains(t, got, "jvm_memory_max_bytes{area=heap}")
	assert.NotContains(t, got, "jvm_system_cpu_load_1m")

	d := fullDetails()
	d.ProcessLoad = jvm.Some(math.NaN()) // even if a reader let it through
	assert.NotContains(t, strings.Join(texts(newDeriver().Details(d)), "\n"), "jvm_cpu_recent_utilization_ratio")
	assert.Contains(t, got, "jvm_memory_max_bytes{area=nonheap}")
}

func TestDownRepeatsNothing(t *testing.T) {
	t.Parallel()
	d := newDeriver()
	d.Derive(full())
	var known []string
	for _, s := range d.Down(at()) {
		if !series.IsStale(s.Value) {
			known = append(known, text(s))
		}
	}
	assert.Equal(t, []string{"up{} 0", "apm_sidecar_target_up{} 0", "apm_sidecar_heap_dump_in_progress{} 0"}, known)
}

func TestFinalizerQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := &jvm.FinalizerQueue{}
	for i := range 30 {
		q.Classes = append(q.Classes, jvm.ClassCount{Class: fmt.Sprintf("C%02d", i), Count: 2})
	}
	got := texts(series.NewDeriver(series.Options{}).Queue(q, at()))
	assert.Contains(t, got, "jvm_finalizer_queue_classes{} 30")
	assert.Contains(t, got, "jvm_finalizer_queue_objects{class=C19} 2")
	assert.NotContains(t, got, "jvm_finalizer_queue_objects{class=C20} 2")
	assert.Contains(t, got, "jvm_finalizer_queue_objects{class=other} 20")
}

func TestTargetLabels(t *testing.T) {
	t.Parallel()
	got := series.TargetLabels(jvm.Target{Job: "j", Instance: "i", Labels: map[string]string{"job": "x", "zone": "z", "a": "b"}})
	assert.Equal(t, []series.Label{{Name: "a", Value: "b"}, {Name: "instance", Value: "i"}, {Name: "job", Value: "j"}, {Name: "zone", Value: "z"}}, got)
}

// A label that discovery gives a target, as that of a pod, must not take the place of one by
// which the series of a metric differ.
func TestALabelOfATargetHidesNoneOfAMetric(t *testing.T) {
	t.Parallel()
	target := jvm.Target{Job: "j", Instance: "i", Labels: map[string]string{"pool": "blue", "jvm_memory_type": "x", "version": "1", "target_version": "2"}}
	assert.Equal(t, []series.Label{{Name: "instance", Value: "i"}, {Name: "job", Value: "j"},
		{Name: "target_jvm_memory_type", Value: "x"}, {Name: "target_pool", Value: "blue"}, {Name: "target_version", Value: "2"}}, series.TargetLabels(target))
}

func TestWriteText(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, series.WriteText(&out, []series.Sample{
		{Name: "jvm_threads_current", Labels: []series.Label{{Name: "job", Value: "a\"b\\c\nd"}, {Name: "x", Value: "y"}}, Value: 3},
		{Name: "up", Value: 1},
		{Name: "jvm_threads_current", Value: 0.5},
	}))
	assert.Equal(t, `# HELP up 1 if the last poll of the JVM succeeded, else 0. While it is 0 the series of the JVM itself end.
# TYPE up gauge
up 1
# HELP jvm_threads_current Live threads.
# TYPE jvm_threads_current gauge
jvm_threads_current{job="a\"b\\c\nd",x="y"} 3
jvm_threads_current 0.5
`, out.String())
}

// Two MBeans of one name would be two values of one series at one time.
func TestASeriesHasOneValueAtATime(t *testing.T) {
	for _, naming := range []series.Naming{series.NamingPrometheus, series.NamingOTel} {
		d := series.NewDeriver(series.Options{Naming: naming})
		s := full()
		once := len(d.Derive(s))
		s.Pools = append(s.Pools, s.Pools...)
		s.GCs = append(s.GCs, s.GCs...)
		s.Servers.Connectors = append(s.Servers.Connectors, s.Servers.Connectors...)
		for range 3 {
			s.Time = s.Time.Add(time.Second)
			seen := map[string]bool{}
			samples := d.Derive(s)
			for _, x := range samples {
				key := fmt.Sprint(x.Name, x.Labels)
				assert.False(t, seen[key], key)
				seen[key] = true
			}
			assert.GreaterOrEqual(t, len(samples), once)
		}
	}
}
