package jmx_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestPollOfRealAgents(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file, version string
		old           string
		kinds         map[string]jvm.PoolKind
		gcs           map[string]jvm.Phase
	}{
		{
			file: "jolokia-2.6.0-jdk17-g1.json", version: "17.0.15+6-Debian-1deb12u1", old: "G1 Old Gen",
			kinds: map[string]jvm.PoolKind{"G1 Eden Space": jvm.PoolEden, "G1 Survivor Space": jvm.PoolSurvivor, "G1 Old Gen": jvm.PoolOld},
			gcs:   map[string]jvm.Phase{"G1 Young Generation": jvm.PhasePause, "G1 Old Generation": jvm.PhasePause},
		},
		{
			file: "jolokia-2.6.0-jdk25-zgc.json", version: "25.0.3+9-LTS", old: "ZGC Old Generation",
			kinds: map[string]jvm.PoolKind{"ZGC Young Generation": jvm.PoolYoung, "ZGC Old Generation": jvm.PoolOld},
			gcs: map[string]jvm.Phase{
				"ZGC Minor Cycles": jvm.PhaseConcurrent, "ZGC Minor Pauses": jvm.PhasePause,
				"ZGC Major Cycles": jvm.PhaseConcurrent, "ZGC Major Pauses": jvm.PhasePause,
			},
		},
		{
			file: "jolokia-1.7.2-jdk17-parallel.json", version: "17.0.15+6-Debian-1deb12u1", old: "PS Old Gen",
			kinds: map[string]jvm.PoolKind{"PS Eden Space": jvm.PoolEden, "PS Survivor Space": jvm.PoolSurvivor, "PS Old Gen": jvm.PoolOld},
			gcs:   map[string]jvm.Phase{"PS Scavenge": jvm.PhasePause, "PS MarkSweep": jvm.PhasePause},
		},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			agent := newFake(t, replaying(t, captured(t, tc.file)))
			s, err := client(t, agent.URL+"/jolokia").Poll(t.Context())
			require.NoError(t, err)
			assert.Len(t, agent.asked(), 1, "one poll is one request")

			assert.Empty(t, s.Missing)
			require.NotNil(t, s.Runtime)
			assert.True(t, s.Runtime.StartMs.Known() && s.Runtime.UptimeMs.Known())
			require.NotNil(t, s.Memory)
			assert.Positive(t, s.Memory.Heap.Used.Or(0))
			assert.False(t, s.Memory.NonHeap.Max.Known(), "-1 means no limit")
			assert.True(t, s.Memory.PendingFinalizers.Known())

			kinds := map[string]jvm.PoolKind{}
			for _, p := range s.Pools {
				if p.Heap {
					kinds[p.Name] = p.Kind
					assert.NotNil(t, p.AfterGC, p.Name)
				} else {
					assert.Nil(t, p.AfterGC, p.Name)
				}
			}
			assert.Equal(t, tc.kinds, kinds)

			gcs := map[string]jvm.Phase{}
			for _, gc := range s.GCs {
				gcs[gc.Name] = gc.Phase
				require.NotNil(t, gc.Last, gc.Name)
				if strings.HasSuffix(gc.Name, "Pauses") {
					assert.Empty(t, gc.Last.Pools, "%s measures no pools", gc.Name)
					continue
				}
				var pools []string
				for _, p := range gc.Last.Pools {
					pools = append(pools, p.Pool)
				}
				assert.Len(t, pools, len(tc.kinds), "heap pools only: %v", pools)
				assert.Contains(t, pools, tc.old)
			}
			assert.Equal(t, tc.gcs, gcs)

			require.NotNil(t, s.Threads)
			assert.Positive(t, s.Threads.Current.Or(0))
			require.NotNil(t, s.OS)
			assert.True(t, s.OS.LoadAverage.Known())

			d, err := client(t, agent.URL+"/jolokia").Details(t.Context())
			require.NoError(t, err)
			assert.Len(t, agent.asked(), 2, "and the slow tier another")
			require.NotNil(t, d.VM)
			assert.True(t, d.ProcessLoad.Known() && d.SystemLoad.Known())
			assert.Equal(t, tc.version, d.VM.Version)
			require.NotNil(t, d.Classes)
			assert.Positive(t, d.Classes.Loaded.Or(0))
			assert.Equal(t, int64(2), d.Processors.Or(0))
			assert.True(t, d.CompilationMs.Known())
			assert.Len(t, d.Buffers, 3)
		})
	}
}

// TestAPoolNotCollectedYetIsNotEmpty: the old region of G1 says zero after a
// collection until there was one, with megabytes in it.
func TestAPoolNotCollectedYetIsNotEmpty(t *testing.T) {
	t.Parallel()
	const answer = `{"value":{"java.lang:name=G1 Old Gen,type=MemoryPool":{"Name":"G1 Old Gen","Type":"HEAP",
		"Usage":{"init":1,"committed":90,"max":100,"used":70},"CollectionUsage":{"init":1,"committed":%s,"max":100,"used":0}}},"status":200}`
	f := func(committed string) *jvm.Usage {
		pools := map[string]string{"java.lang:type=MemoryPool,*": strings.Replace(answer, "%s", committed, 1)}
		s, err := client(t, newFake(t, answering(pools)).URL).Poll(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Pools, 1)
		return s.Pools[0].AfterGC
	}
	assert.Nil(t, f("0"))
	require.NotNil(t, f("90"))
	assert.Equal(t, jvm.Some[int64](0), f("90").Used)
}

// TestAPoolOfJettyHasALastingName: what Java calls the server is another thing after each start.
func TestAPoolOfJettyHasALastingName(t *testing.T) {
	t.Parallel()
	pool := func(context, id string) string {
		return `"org.eclipse.jetty.util.thread:context=` + context + `,id=` + id + `,type=queuedthreadpool":{"threads":16,"busyThreads":4,"maxThreads":200,"queueSize":0}`
	}
	f := func(beans string, want ...string) {
		t.Helper()
		s, err := client(t, newFake(t, answering(map[string]string{
			"org.eclipse.jetty.util.thread:type=queuedthreadpool,*": `{"value":{` + beans + `},"status":200}`,
		})).URL).Poll(t.Context())
		require.NoError(t, err)
		var names []string
		for _, p := range s.Servers.WorkerPools {
			names = append(names, p.Name)
		}
		assert.Equal(t, want, names)
	}
	f(pool("oejs_Server@662ac478", "0"), "oejs_Server-0")
	f(pool("oejs_Server@662ac478", "0")+","+pool("oejs_Server@1f", "1"), "oejs_Server-0", "oejs_Server-1")
	f(pool("oejs_Server@662ac478", "0")+","+pool("oejs_Server@1f", "0"), "oejs_Server@1f-0", "oejs_Server@662ac478-0")
	f(pool("shop", "0"), "shop-0")
}

func TestPollAsksForAttributesByListAndNeverForAll(t *testing.T) {
	t.Parallel()
	agent := newFake(t, replaying(t, captured(t, "jolokia-2.6.0-jdk17-g1.json")))
	c := client(t, agent.URL)
	_, err := c.Poll(t.Context())
	require.NoError(t, err)
	_, err = c.Details(t.Context())
	require.NoError(t, err)
	for _, it := range slices.Concat(agent.asked()...) {
		assert.Equal(t, "read", it.Type)
		assert.NotEmpty(t, it.Attribute, it.MBean)
		assert.Equal(t, "true", it.Config["ignoreErrors"], it.MBean)
		assert.Empty(t, it.Operation)
	}
}

func TestPollMarksWhatIsMissing(t *testing.T) {
	t.Parallel()
	whole := captured(t, "jolokia-2.6.0-jdk17-g1.json")
	f := func(name, old, replacement string, check func(t *testing.T, s *jvm.Snapshot)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, whole, old)
			agent := newFake(t, replaying(t, strings.Replace(whole, old, replacement, 1)))
			s, err := client(t, agent.URL).Poll(t.Context())
			require.NoError(t, err)
			check(t, s)
		})
	}
	f("attribute, 2.x form", `"OpenFileDescriptorCount":12`,
		`"OpenFileDescriptorCount":{".error":true,"error_type":"javax.management.AttributeNotFoundException","error":"No such attribute: OpenFileDescriptorCount"}`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.False(t, s.OS.OpenFiles.Known())
			assert.True(t, s.OS.CPUTimeNs.Known())
			assert.Equal(t, []jvm.Missing{{Part: "java.lang:type=OperatingSystem/OpenFileDescriptorCount", Reason: "No such attribute: OpenFileDescriptorCount"}}, s.Missing)
		})
	f("attribute, 1.x form", `"OpenFileDescriptorCount":12`, `"OpenFileDescriptorCount":"ERROR: No such attribute: OpenFileDescriptorCount (class javax.management.AttributeNotFoundException)"`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.False(t, s.OS.OpenFiles.Known())
			require.Len(t, s.Missing, 1)
			assert.Contains(t, s.Missing[0].Reason, "No such attribute")
		})
	f("NaN arrives as null", `"SystemLoadAverage":`, `"SystemLoadAverage":null,"x":`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.False(t, s.OS.LoadAverage.Known())
			assert.True(t, s.OS.CPUTimeNs.Known())
		})
	f("before the first collection", `"LastGcInfo":{`, `"LastGcInfo":null,"x":{`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.True(t, s.GCs[0].Last == nil || s.GCs[1].Last == nil)
		})
	f("wrong type", `"ThreadCount":`, `"ThreadCount":"many","x":`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.False(t, s.Threads.Current.Known())
			assert.True(t, s.Threads.Peak.Known())
		})
	f("a list for an object", `"HeapMemoryUsage":{`, `"HeapMemoryUsage":[1,2],"x":{`,
		func(t *testing.T, s *jvm.Snapshot) {
			assert.Equal(t, jvm.Usage{}, s.Memory.Heap)
			assert.True(t, s.Memory.NonHeap.Used.Known())
		})
}

// TestAnMBeanThatIsMissing is told by 1.x with a status, and by 2.x with an error in
// place of each attribute.
func TestAnMBeanThatIsMissing(t *testing.T) {
	t.Parallel()
	const part = "java.lang:type=Compilation"
	for name, answer := range map[string]string{
		"2.x answers 200": `{"value":{"TotalCompilationTime":{".error":true,"error":"java.lang:type=Compilation"}},"status":200}`,
		"status 404":      `{"status":404,"error":"javax.management.InstanceNotFoundException : java.lang:type=Compilation"}`,
	} {
		agent := newFake(t, answering(map[string]string{part: answer}))
		d, err := client(t, agent.URL).Details(t.Context())
		require.NoError(t, err, name)
		assert.False(t, d.CompilationMs.Known(), name)
		assert.True(t, slices.ContainsFunc(d.Missing, func(m jvm.Missing) bool { return strings.HasPrefix(m.Part, part) }), name)
	}
}

// TestWhatManyJVMsLackIsNotAskedAllTheTime: a web server that is not there is neither
// missing nor part of the next polls, and found once it is.
func TestWhatManyJVMsLackIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	agent := newFake(t, replaying(t, captured(t, "jolokia-2.6.0-jdk17-g1.json")))
	c := client(t, agent.URL)
	for range 2 {
		s, err := c.Poll(t.Context())
		require.NoError(t, err)
		assert.Empty(t, s.Missing)
	}
	bulks := agent.asked()
	assert.Len(t, bulks[0], jmx.PollItems())
	assert.Len(t, bulks[1], 6, "what every JVM has")
}

// TestRefusedBulk: whatever the agent refuses a bulk for, the guilty item alone
// is lost, and it is left out of later polls.
func TestRefusedBulk(t *testing.T) {
	t.Parallel()
	const guilty = "java.lang:type=OperatingSystem"
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"2.x": func(w http.ResponseWriter) { saying(400, captured(t, "jolokia-2.6.0-bulk-refused.txt"))(w, nil, nil) },
		"1.x": func(w http.ResponseWriter) { saying(200, captured(t, "jolokia-1.7.2-bulk-refused.txt"))(w, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, bulk []item) {
				answers := make([]string, len(bulk))
				for i, it := range bulk {
					if it.MBean == guilty {
						refuse(w)
						return
					}
					answers[i] = `{"status":200,"value":{"ThreadCount":7,"Uptime":1,"ObjectPendingFinalizationCount":0,"a:name=b":{"Name":"b"}}}`
				}
				_, _ = io.WriteString(w, "["+strings.Join(answers, ",")+"]")
			})
			c := client(t, agent.URL)
			s, err := c.Poll(t.Context())
			require.NoError(t, err)
			assert.Equal(t, int64(7), s.Threads.Current.Or(0))
			require.Len(t, s.Missing, 1)
			assert.Equal(t, guilty, s.Missing[0].Part)
			first := len(agent.asked())
			assert.LessOrEqual(t, first, 11, "halving, not one request an item")

			s, err = c.Poll(t.Context())
			require.NoError(t, err)
			assert.Len(t, agent.asked(), first+1, "the guilty item is left out")
			assert.Equal(t, int64(7), s.Threads.Current.Or(0))
			assert.Len(t, s.Missing, 1)
		})
	}
}

// An agent with serializeLong=string gives each long as a string; ints, such as the status,
// stay numbers.
func TestPollOfAnAgentThatWritesLongsAsStrings(t *testing.T) {
	t.Parallel()
	recorded := captured(t, "jolokia-2.6.0-jdk17-g1.json")
	poll := func(answer string) *jvm.Snapshot {
		s, err := client(t, newFake(t, replaying(t, answer)).URL).Poll(t.Context())
		require.NoError(t, err)
		s.Time = time.Time{}
		return s
	}
	texts := regexp.MustCompile(`("(?:used|max|init|committed|StartTime|Uptime|CollectionCount|ProcessCpuTime)": ?)(-?\d+)`).ReplaceAllString(recorded, `$1"$2"`)
	require.NotEqual(t, recorded, texts)
	assert.Equal(t, poll(recorded), poll(texts))
}
