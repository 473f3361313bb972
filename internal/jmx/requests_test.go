package jmx_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	cpuBefore   = `{"status":200,"value":{"CurrentThreadCpuTime":1000,"TotalStartedThreadCount":42}},`
	cpuAfter    = `{"status":200,"value":{"CurrentThreadCpuTime":4000}}`
	collectors  = `{"status":200,"value":{"java.lang:name=G1 Young Generation,type=GarbageCollector":{"Name":"G1 Young Generation","CollectionTime":70},"java.lang:name=ZGC Cycles,type=GarbageCollector":{"Name":"ZGC Cycles","CollectionTime":900},"x":{"Name":"G1 Old Generation","CollectionTime":5}}},`
	runtimeItem = `{"status":200,"value":{"StartTime":1700000000000,"Uptime":60000,"Name":"4711@box"}},`
	noUpgrades  = `{"status":404,"error":"none"},`
	upgrades    = `{"status":200,"value":{"Catalina:Upgrade=h2c,name=\"http-nio-8080\",type=GlobalRequestProcessor":{"requestCount":0}}},`
	pools       = `{"status":200,"value":{"Catalina:name=\"a\",type=ThreadPool":{"currentThreadsBusy":3},"Catalina:name=\"b\",type=ThreadPool":{"currentThreadsBusy":2}}},`
)

// TestRequests: both orders of an ObjectName's keys give one name, and nothing is
// taken that has another type than expected.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		`Catalina:type=RequestProcessor,worker=\"http-nio-8080\",name=HttpRequest1`,
		`Catalina:name=HttpRequest1,type=RequestProcessor,worker=\"http-nio-8080\"`,
	} {
		rows := `{"status":200,"value":{"` + name + `":{"requestCount":7,"stage":3,"requestProcessingTime":1234,"workerThreadName":"http-nio-8080-exec-1","currentUri":"/a/b?secret=1","method":"GET","processingTime":500,"lastRequestProcessingTime":44,"errorCount":1},"broken":{"requestCount":"x"}}},`
		agent := newFake(t, saying(200, "["+cpuBefore+rows+collectors+runtimeItem+upgrades+pools+cpuAfter+`,{"status":200,"value":[123,-1]}]`))
		r, err := client(t, agent.URL).Requests(t.Context(), map[string]int64{"a": 21, "b": 22})
		require.NoError(t, err)
		assert.Equal(t, []jvm.RequestProcessor{{
			Name: `Catalina:name=HttpRequest1,type=RequestProcessor,worker="http-nio-8080"`, Connector: "http-nio-8080", Stage: 3, ElapsedMs: 1234,
			Count: 7, ProcessingMs: 500, LastMs: 44, Errors: 1, Thread: "http-nio-8080-exec-1", Path: "/a/b", Method: "GET",
		}}, r.Processors)
		assert.Equal(t, jvm.Some[int64](75), r.PauseMs, "cycles of ZGC stop nobody")
		assert.Equal(t, jvm.Some[int64](3000), r.CPUNs)
		assert.Equal(t, jvm.Some[int64](4711), r.PID)
		assert.Equal(t, jvm.Some[int64](42), r.StartedThreads)
		assert.Equal(t, jvm.Some[int64](5), r.BusyWorkers)
		assert.Equal(t, map[string]jvm.Used{"a": {CPUNs: jvm.Some[int64](123)}, "b": {}}, r.Workers)
		bulk := agent.asked()[0]
		assert.Equal(t, "requestCount", bulk[1].Attribute[0], "read first: the others are of the request after it")
		assert.Equal(t, []any{[]any{21.0, 22.0}}, bulk[7].Arguments)
	}
}

// TestWhatElseWasAsked: a look tells how long the other answers took since the one before, a
// look that failed among them.
func TestWhatElseWasAsked(t *testing.T) {
	t.Parallel()
	status := 200
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, items []item) {
		saying(status, "["+strings.Repeat(`{"status":404,"error":"none"},`, len(items)-1)+`{"status":404,"error":"none"}]`)(w, r, items)
	})
	c := client(t, agent.URL)
	others := func() int {
		r, err := c.Requests(t.Context(), nil)
		require.NoError(t, err)
		for _, took := range r.Others {
			assert.Positive(t, took)
		}
		return len(r.Others)
	}
	_, _ = c.Poll(t.Context())
	assert.Zero(t, others(), "nobody looked")
	_, _ = c.Poll(t.Context())
	_, _ = c.Details(t.Context())
	assert.Equal(t, 2, others())
	assert.Zero(t, others(), "told already")
	status = 503
	_, err := c.Requests(t.Context(), nil)
	require.Error(t, err)
	status = 200
	assert.Equal(t, 1, others())
}

// TestTomcatsDomain: all MBeans of a JVM are gone through each ten seconds, and at each look only where Tomcats
// are in several domains.
func TestTomcatsDomain(t *testing.T) {
	t.Parallel()
	row := func(domain string) string {
		return `"` + domain + `:type=RequestProcessor,worker=\"w\",name=r":{"requestCount":7}`
	}
	pool := func(domain, busy string) string {
		return `"` + domain + `:type=ThreadPool,name=\"w\"":{"currentThreadsBusy":` + busy + `}`
	}
	for name, tc := range map[string]struct{ rows, pools, then string }{
		"none":             {then: "Catalina"},
		"embedded":         {row("Tomcat"), pool("Tomcat", "1"), "Tomcat"},
		"idle":             {"", pool("Tomcat", "0"), "Tomcat"},
		"two":              {row("Tomcat"), pool("Tomcat", "1") + "," + pool("Tomcat-1", "0"), "*"},
		"another's thread": {row("Tomcat"), pool("Tomcat", "1") + "," + pool("shop", "null"), "Tomcat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := newFake(t, saying(200, "["+cpuBefore+`{"status":200,"value":{`+tc.rows+`}},`+collectors+runtimeItem+noUpgrades+`{"status":200,"value":{`+tc.pools+`}},`+cpuAfter+"]"))
			c := client(t, agent.URL)
			for look, domain := range []string{"*", tc.then} {
				_, err := c.Requests(t.Context(), nil)
				require.NoError(t, err)
				for _, i := range []int{1, 4, 5} {
					assert.Truef(t, strings.HasPrefix(agent.asked()[look][i].MBean, domain+":"), "%s: %s", domain, agent.asked()[look][i].MBean)
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, []string{"*", "Catalina", "Catalina", "*"}, jmx.DomainsOfLooks(4, 4*time.Second))
	})
}

// TestNoTomcat: an agent says in three ways that there is none.
func TestNoTomcat(t *testing.T) {
	t.Parallel()
	for _, none := range []string{
		`{"status":404,"error":"No MBean with pattern *:type=RequestProcessor,worker=*,name=* found"},`,
		`{"status":500,"error_type":"javax.management.InstanceNotFoundException","error":"x"},`,
		`{"status":200,"value":{}},`,
	} {
		agent := newFake(t, saying(200, "["+cpuBefore+none+collectors+runtimeItem+noUpgrades+pools+cpuAfter+"]"))
		r, err := client(t, agent.URL).Requests(t.Context(), nil)
		require.NoError(t, err, none)
		assert.Empty(t, r.Processors)
		assert.False(t, r.BusyWorkers.Known(), "no HTTP/2")
		assert.True(t, r.Registers, "a Tomcat that is idle")
	}
	for _, nothing := range []string{`{"status":404,"error":"none"},`, `{"status":200,"value":{"shop:name=\"a\",type=ThreadPool":{"currentThreadsBusy":null}}},`} {
		agent := newFake(t, saying(200, "["+cpuBefore+`{"status":200,"value":{}},`+collectors+runtimeItem+noUpgrades+nothing+cpuAfter+"]"))
		r, err := client(t, agent.URL).Requests(t.Context(), nil)
		require.NoError(t, err)
		assert.False(t, r.Registers, nothing)
	}
	agent := newFake(t, saying(200, "["+cpuBefore+`{"status":403,"error":"denied"},`+collectors+runtimeItem+noUpgrades+pools+cpuAfter+"]"))
	_, err := client(t, agent.URL).Requests(t.Context(), nil)
	require.ErrorContains(t, err, "denied")
	assert.Equal(t, jmx.ReasonOperation, jmx.Reason(err))
}

func TestTooManyThreadsAreAnError(t *testing.T) {
	t.Parallel()
	_, err := client(t, "http://127.0.0.1:1").Threads(t.Context(), make([]int64, 20_001), nil, 0)
	require.Error(t, err)
	assert.Equal(t, jmx.ReasonTooLarge, jmx.Reason(err))
	assert.Contains(t, err.Error(), "20001 threads")
}

func TestThreads(t *testing.T) {
	t.Parallel()
	const info = `{"threadId":21,"threadName":"w","threadState":"BLOCKED","blockedCount":3,"waitedCount":4,"blockedTime":-1,"waitedTime":-1,"lockName":"a.B@1f","lockOwnerId":30,"lockOwnerName":"o","stackTrace":[`
	const frame = `{"className":"a.B","methodName":"c","fileName":"B.java","lineNumber":-2,"nativeMethod":true}`
	agent := newFake(t, saying(200, "["+cpuBefore+`{"status":200,"value":[5000,6000]},{"status":500,"error":"no"},{"status":200,"value":[null,{"threadId":20}]},{"status":200,"value":[`+info+frame+`]}]},`+
		`{"status":200,"value":{"requestCount":7,"stage":3,"workerThreadName":"w"}},{"status":404,"error":"gone"},`+cpuAfter+"]"))
	began := time.Now()
	look, err := client(t, agent.URL).Threads(t.Context(), []int64{20}, []int64{21}, 64, "a:name=p", "a:name=gone")
	require.NoError(t, err)
	assert.Positive(t, look.Took)
	assert.WithinRange(t, look.At, began, time.Now())
	assert.True(t, look.CPUNs.Known())
	assert.Equal(t, map[string]jvm.RequestProcessor{"a:name=p": {Name: "a:name=p", Count: 7, Stage: 3, Thread: "w"}}, look.Processors)
	want := jvm.Thread{ID: 21, Name: "w", State: jvm.Blocked, BlockedCount: 3, WaitedCount: 4, Lock: "a.B@1f", LockOwnerID: 30, LockOwnerName: "o"}
	state := want
	state.CPUNs = jvm.Some[int64](6000)
	assert.Equal(t, map[int64]*jvm.Thread{20: {ID: 20, CPUNs: jvm.Some[int64](5000)}, 21: &state}, look.States)
	want.Stack = []jvm.Frame{{Class: "a.B", Method: "c", File: "B.java", Native: true, Line: 0}}
	assert.Equal(t, map[int64]*jvm.Thread{21: &want}, look.Stacks)
	for _, it := range agent.asked()[0] {
		assert.NotContains(t, it.Operation, "boolean", "neither locked monitors nor synchronizers")
	}
	none, err := client(t, agent.URL).Threads(t.Context(), nil, nil, 64)
	require.NoError(t, err)
	assert.Empty(t, none.States)
	assert.Len(t, agent.asked(), 1, "nothing is asked of no threads")
	_, _ = client(t, agent.URL).Threads(t.Context(), nil, []int64{21}, 64)
	for _, it := range agent.asked()[1] {
		if it.Type == "exec" {
			assert.NotEmpty(t, it.Arguments[0], "nor states of none")
		}
	}
}

func TestThreadIDs(t *testing.T) {
	t.Parallel()
	agent := newFake(t, saying(200, `[{"status":200,"value":{"AllThreadIds":[3,"x",5]}}]`))
	ids, err := client(t, agent.URL).ThreadIDs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int64{3, 5}, ids)
	agent = newFake(t, saying(200, `[{"status":403,"error":"forbidden"}]`))
	_, err = client(t, agent.URL).ThreadIDs(t.Context())
	require.ErrorContains(t, err, "the threads cannot be read: ")
	_, err = client(t, "http://127.0.0.1:1").ThreadIDs(t.Context())
	assert.Equal(t, jmx.ReasonDial, jmx.Reason(err))
}

// TestFiguresOfOtherThreads: an agent that answers for more or fewer threads than it was asked
// about says of none what it has used.
func TestFiguresOfOtherThreads(t *testing.T) {
	t.Parallel()
	for figures, known := range map[string]bool{"[5000]": true, "[]": false, "[5000,6000]": false, "5000": false} {
		agent := newFake(t, saying(200, "["+cpuBefore+`{"status":200,"value":`+figures+`},{"status":200,"value":[1]},{"status":200,"value":[{"threadId":20}]},`+cpuAfter+"]"))
		look, err := client(t, agent.URL).Threads(t.Context(), []int64{20}, nil, 0)
		require.NoError(t, err, figures)
		assert.Equal(t, known, look.States[20].CPUNs.Known(), figures)
		assert.True(t, look.States[20].AllocatedBytes.Known(), figures)
	}
}

// TestBannedReadsNeverHappen: connections of pools run SQL when they are read, and two
// attributes of processors drag in half of Tomcat.
func TestBannedReadsNeverHappen(t *testing.T) {
	t.Parallel()
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) {
		saying(200, "["+strings.Repeat(`{"status":404,"error":"none"},`, len(bulk)-1)+`{"status":404,"error":"none"}]`)(w, r, bulk)
	})
	c := client(t, agent.URL)
	_, err := c.Requests(t.Context(), map[string]int64{"w": 1})
	require.NoError(t, err)
	_, _ = c.Threads(t.Context(), []int64{1}, []int64{2}, 64)
	_, _ = c.ThreadIDs(t.Context())
	_, _ = c.Poll(t.Context())
	for _, bulk := range agent.asked() {
		for _, it := range bulk {
			assert.NotContains(t, it.MBean, "connection")
			assert.NotContains(t, it.Attribute, "globalProcessor")
			assert.NotContains(t, it.Attribute, "rpName")
			if it.Type == "read" {
				assert.NotEmpty(t, it.Attribute, it.MBean)
			}
		}
	}
}
