package jmx_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TestRegisteredFinalizers reads what JDK 25 said.
func TestRegisteredFinalizers(t *testing.T) {
	t.Parallel()
	const table = `\n                 Finalizers\n\nClass Overriding Finalize            Finalizable Objects on Heap Finalizers Run\n` +
		`------------------------------------ --------------------------- --------------\nApp$Fin                                                   61,875              0\n` +
		`b.B                                                        1.200            300\n\nTimespan: 16:42:18 - 16:52:18\n`
	agent := newFake(t, saying(200, `[{"value":"`+table+`","status":200}]`))
	r, err := client(t, agent.URL).RegisteredFinalizers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &jvm.RegisteredFinalizers{Classes: []jvm.RegisteredClass{{Class: "App$Fin", Objects: 61875}, {Class: "b.B", Objects: 1200, Run: 300}}}, r)
	it := agent.asked()[0][0]
	assert.Equal(t, "jfrView", it.Operation)

	assert.Nil(t, jmx.ParseFlightView("\nNo events found for 'Finalizers'.\n\nTimespan: 16:41:09 - 16:51:09\n"))
	assert.Nil(t, jmx.ParseFlightView("Could not open view. No recording data found on disk."))
	assert.Empty(t, jmx.ParseFlightView("\n---- --- ---\na -1 2\nb x 2\nc 1 99999999999999999999\nd 1 234 5\n").Classes)
}

// TestMaxDirectMemory reads what JDK 17 and 25 say.
func TestMaxDirectMemory(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int64{`{"value":"100663296","status":200}`: 100663296, `{"value":"0","status":200}`: 0} {
		agent := newFake(t, saying(200, "["+said+"]"))
		limit, err := client(t, agent.URL).MaxDirectMemory(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, limit)
		it := agent.asked()[0][0]
		assert.Equal(t, "getVMOption(java.lang.String)", it.Operation)
		assert.Equal(t, []any{"MaxDirectMemorySize"}, it.Arguments)
	}
	for said, reason := range map[string]string{
		`{"status":403,"error":"java.lang.Exception : Operation getVMOption(java.lang.String) forbidden"}`: jmx.ReasonDenied,
		`{"status":404,"error":"javax.management.InstanceNotFoundException : no such MBean"}`:              jmx.ReasonOperation,
		`{"value":{"name":"x"},"status":200}`:                                                              jmx.ReasonOperation,
		`{"value":"-1","status":200}`:                                                                      jmx.ReasonOperation,
	} {
		agent := newFake(t, saying(200, "["+said+"]"))
		_, err := client(t, agent.URL).MaxDirectMemory(t.Context())
		assert.Equal(t, reason, jmx.Reason(err), said)
	}
}

// TestClassHistogram reads what JDK 17 and, without modules, JDK 8 say.
func TestClassHistogram(t *testing.T) {
	t.Parallel()
	const table = ` num     #instances         #bytes  class name (module)\n-------------------------------------------------------\n` +
		`   1:         25724       84090984  [B (java.base@17.0.15)\n   2:          2851         114040  java.lang.ref.Finalizer (java.base@17.0.15)\n` +
		`   3:             1            528  [[Ljava.util.TimerTask;\n   4:             x            528  bad\n   5:             9             -5  bad\nTotal         87234       95000000\n`
	agent := newFake(t, saying(200, `[{"value":"`+table+`","status":200}]`))
	h, err := client(t, agent.URL).ClassHistogram(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []jvm.ClassUsage{{Class: "byte[]", Objects: 25724, Bytes: 84090984}, {Class: "java.lang.ref.Finalizer", Objects: 2851, Bytes: 114040},
		{Class: "java.util.TimerTask[][]", Objects: 1, Bytes: 528}}, h.Classes)
	assert.Equal(t, int64(95000000), h.Bytes)
	assert.Equal(t, []any{[]any{"-all"}}, agent.asked()[0][0].Arguments, "without it the JVM collects first")
	var long strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&long, " 1: 2 3 x%d\n", i)
	}
	assert.Len(t, jmx.ParseHistogram(long.String()).Classes, 1000)
}

// A class that two loaders have, such as a driver in two web applications, is in the JVM's
// table twice: the series of a class is one.
func TestClassesOfTheSameNameAreOne(t *testing.T) {
	t.Parallel()
	h := jmx.ParseHistogram(" 1: 10 900 a.A\n 2: 3 500 a.Statement\n 3: 4 450 a.Statement\nTotal 17 1850\n")
	assert.Equal(t, []jvm.ClassUsage{{Class: "a.Statement", Objects: 7, Bytes: 950}, {Class: "a.A", Objects: 10, Bytes: 900}}, h.Classes)

	r := jmx.ParseFlightView("\n---\na.A 10 1\na.Statement 7 2\na.Statement 8 3\n")
	assert.Equal(t, []jvm.RegisteredClass{{Class: "a.Statement", Objects: 15, Run: 5}, {Class: "a.A", Objects: 10, Run: 1}}, r.Classes)
}

// threadInfo is a ThreadInfo as agents send it, cut to what is read.
func threadInfo(id int, name, state string, owner int) string {
	return fmt.Sprintf(`{"threadId":%d,"threadName":%q,"threadState":%q,"lockOwnerId":%d,"lockName":"java.lang.Class@1","blockedCount":2,
		"waitedCount":1,"stackTrace":[{"className":"App$Fin","methodName":"finalize","lineNumber":3},{"className":"Native","methodName":"m","lineNumber":-2}]}`, id, name, state, owner)
}

// TestFinalizerThread is found once among the oldest threads, and again in another JVM.
func TestFinalizerThread(t *testing.T) {
	t.Parallel()
	finalizer := 3
	agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, bulk []item) {
		threads := map[int]string{1: threadInfo(1, "main", "RUNNABLE", -1), 3: threadInfo(3, "worker", "RUNNABLE", -1), 40: threadInfo(40, "http-1", "RUNNABLE", -1)}
		threads[finalizer] = threadInfo(finalizer, "Finalizer", "BLOCKED", 40)
		out := make([]string, len(bulk))
		for i, it := range bulk {
			out[i] = jmxtest.Absent
			if it.Operation != "getThreadInfo([J,int)" {
				continue
			}
			ids, _ := it.Arguments[0].([]any)
			infos := make([]string, len(ids))
			for k, id := range ids {
				n, _ := id.(float64)
				infos[k] = cmp.Or(threads[int(n)], "null")
			}
			out[i] = `{"status":200,"value":[` + strings.Join(infos, ",") + `]}`
		}
		_, _ = io.WriteString(w, "["+strings.Join(out, ",")+"]")
	})
	c := client(t, agent.URL)
	ids := make([]int64, 500)
	for i := range ids {
		ids[i] = int64(500 - i)
	}
	for _, now := range []int{3, 3, 13} {
		finalizer = now
		f, err := c.FinalizerThread(t.Context(), ids)
		require.NoError(t, err)
		assert.Equal(t, int64(now), f.Thread.ID)
		assert.Equal(t, jvm.Blocked, f.Thread.State)
		assert.Equal(t, "java.lang.Class@1", f.Thread.Lock)
		assert.Equal(t, []jvm.Frame{{Class: "App$Fin", Method: "finalize", Line: 3}, {Class: "Native", Method: "m"}}, f.Thread.Stack)
		require.NotNil(t, f.Owner)
		assert.Equal(t, "http-1", f.Owner.Name)
	}
	assert.Len(t, agent.asked(), 3+2+4)
}

func TestThreadStates(t *testing.T) {
	t.Parallel()
	agent := newFake(t, saying(200, `[{"status":200,"value":["RUNNABLE","BLOCKED","RUNNABLE","new state",7]},{"status":200,"value":null},{"status":403,"error":"not allowed"}]`))
	s, err := client(t, agent.URL).ThreadStates(t.Context(), []int64{1, 2, 3})
	require.NoError(t, err)
	assert.Equal(t, map[jvm.ThreadState]int64{"RUNNABLE": 2, "BLOCKED": 1}, s.Count)
	assert.Equal(t, jvm.Some[int64](0), s.Deadlocked)
	assert.Equal(t, []jvm.Missing{{Part: "java.lang:type=Threading/findMonitorDeadlockedThreads()", Reason: "not allowed"}}, s.Missing)
	assert.Len(t, agent.asked(), 1, "one bulk")
}

// TestServers reads Tomcat, HikariCP, tomcat-jdbc and DBCP as their MBeans were seen.
func TestServers(t *testing.T) {
	t.Parallel()
	agent := newFake(t, answering(map[string]string{
		"*:type=GlobalRequestProcessor,name=*": `{"status":200,"value":{"Tomcat:name=\"http-nio-1\",type=GlobalRequestProcessor":{"requestCount":-2147483641,"errorCount":1,"processingTime":1500,"maxTime":20,"bytesReceived":5,"bytesSent":6}}}`,
		"*:type=ThreadPool,name=*":             `{"status":200,"value":{"Tomcat:type=ThreadPool,name=\"http-nio-1\"":{"currentThreadCount":10,"currentThreadsBusy":3,"maxThreads":200,"connectionCount":7,"keepAliveCount":1,"maxConnections":8192}}}`,
		"com.zaxxer.hikari:*":                  `{"status":200,"value":{"com.zaxxer.hikari:type=Pool (main)":{"ActiveConnections":2,"IdleConnections":8,"ThreadsAwaitingConnection":1},"com.zaxxer.hikari:type=PoolConfig (main)":{"MaximumPoolSize":10,"MinimumIdle":5}}}`,
		"*:type=ConnectionPool,*":              `{"status":200,"value":{"tomcat.jdbc:name=\"jdbc/x\",type=ConnectionPool,class=y":{"Active":4,"Idle":1,"MaxActive":-1,"BorrowedCount":900}}}`,
		"*:type=Manager,host=*,context=*":      `{"status":200,"value":{"Tomcat:type=Manager,host=localhost,context=/shop":{"activeSessions":3,"sessionCounter":30}}}`,
	}))
	s, err := client(t, agent.URL).Poll(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Servers.Connectors, 1)
	c := s.Servers.Connectors[0]
	assert.Equal(t, "http-nio-1", c.Name)
	assert.Equal(t, jvm.Some[int64](1<<31+7), c.Requests, "the 32 bits of a counter past its end")
	assert.Equal(t, jvm.Some[int64](1_500_000_000), c.BusyNs)
	assert.Equal(t, jvm.Some[int64](7), c.Connections)
	assert.Equal(t, []jvm.WorkerPool{{Server: "tomcat", Name: "http-nio-1", Current: jvm.Some[int64](10), Busy: jvm.Some[int64](3), Max: jvm.Some[int64](200)}}, s.Servers.WorkerPools)
	assert.Equal(t, []jvm.JDBCPool{
		{Kind: "hikari", Name: "main", Used: jvm.Some[int64](2), Idle: jvm.Some[int64](8), Pending: jvm.Some[int64](1), Max: jvm.Some[int64](10), MinIdle: jvm.Some[int64](5)},
		{Kind: "tomcat-jdbc", Name: "jdbc/x", Used: jvm.Some[int64](4), Idle: jvm.Some[int64](1), Borrowed: jvm.Some[int64](900)},
	}, s.Servers.JDBCPools)
	assert.Equal(t, "/shop", s.Servers.Sessions[0].Context)
}

// Two web applications may each have a pool of the name jdbc/x: they are two series, and not
// one that shows now this and now that.
func TestPoolsOfTheSameNameAreToldApart(t *testing.T) {
	t.Parallel()
	agent := newFake(t, answering(map[string]string{
		"*:type=ConnectionPool,*": `{"status":200,"value":{
			"tomcat.jdbc:class=y,context=/a,engine=Catalina,host=localhost,name=\"jdbc/x\",type=ConnectionPool":{"Active":1,"Idle":1},
			"tomcat.jdbc:class=y,context=/b,engine=Catalina,host=localhost,name=\"jdbc/x\",type=ConnectionPool":{"Active":2,"Idle":2},
			"tomcat.jdbc:class=y,context=/b,engine=Catalina,host=localhost,name=\"jdbc/y\",type=ConnectionPool":{"Active":3,"Idle":3}}}`,
	}))
	s, err := client(t, agent.URL).Poll(t.Context())
	require.NoError(t, err)
	names := map[string]int64{}
	for _, p := range s.Servers.JDBCPools {
		names[p.Name] = p.Used.Or(-1)
	}
	assert.Equal(t, map[string]int64{"jdbc/x (localhost/a)": 1, "jdbc/x (localhost/b)": 2, "jdbc/y": 3}, names)
}
