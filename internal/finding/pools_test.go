package finding_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// hikariPool is a heap with a pool of HikariCP: so many connections in use by live
// borrowers, so many lost, and two idle ones.
func hikariPool(lent, lost, limit int) *hproftest.JDK {
	j, _ := hikariEntries(lent, lost, limit)
	return j
}

// hikariEntries is the same with the pool's entries, the lent ones first, then the lost ones.
func hikariEntries(lent, lost, limit int) (j *hproftest.JDK, entries []*hproftest.Object) {
	j = hproftest.NewJDK(17, 8)
	config := j.Class("com.zaxxer.hikari.HikariConfig", j.Object, hproftest.Int("maxPoolSize"))
	base := j.Class("com.zaxxer.hikari.pool.PoolBase", j.Object, hproftest.Ref("config"), hproftest.Ref("poolName"))
	poolClass := j.Class("com.zaxxer.hikari.pool.HikariPool", base)
	entry := j.Class("com.zaxxer.hikari.pool.PoolEntry", j.Object, hproftest.Ref("connection"), hproftest.Int("state"), hproftest.Ref("hikariPool"))
	proxy := j.Class("com.zaxxer.hikari.pool.ProxyConnection", j.Object, hproftest.Ref("delegate"))
	hikariProxy := j.Class("com.zaxxer.hikari.pool.HikariProxyConnection", proxy)
	connection := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
	j.Class("org.postgresql.util.DriverInfo", j.Object).Static("DRIVER_VERSION", j.String("42.7.7"))
	pool := j.New(poolClass).Set("config", j.New(config).Set("maxPoolSize", int32(limit))).Set("poolName", j.String("orders"))
	j.Root(hprof.SubRootJNIGlobal, pool)
	for i := range lent + lost + 2 {
		c := j.New(connection)
		e := j.New(entry).Set("connection", c).Set("hikariPool", pool)
		j.Root(hprof.SubRootJNIGlobal, e)
		p := j.New(hikariProxy)
		switch {
		case i < lent:
			e.Set("state", int32(1))
			p.Set("delegate", c)
			j.Root(hprof.SubRootJNIGlobal, p)
		case i < lent+lost:
			e.Set("state", int32(1))
			p.Set("delegate", c) // garbage
		}
		entries = append(entries, e)
	}
	return j, entries
}

func TestAbandonedConnections(t *testing.T) {
	for _, row := range []struct {
		name              string
		lent, lost, limit int
		want              finding.Severity // "" for no finding
	}{
		{"all lent", 8, 0, 10, ""},
		{"one on its way", 3, 1, 10, finding.SeverityInfo},
		{"some lost", 4, 3, 10, finding.SeverityWarning},
		{"most lost", 1, 7, 10, finding.SeverityCritical},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := detect(t, hikariPool(row.lent, row.lost, row.limit))
			if row.want == "" {
				assert.Empty(t, byKind("abandoned-connections", found))
				return
			}
			f := only(t, "abandoned-connections", found)
			assert.Equal(t, row.want, f.Severity)
			assert.Equal(t, int64(row.lost), f.Objects)
			assert.Equal(t, "org.postgresql.jdbc.PgConnection", f.Culprit.Class)
			assert.Contains(t, f.Title, `HikariCP pool "orders"`)
			assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "driver", Value: "pgjdbc 42.7.7"})
		})
	}
}

// TestPoolUsedUp has all connections of a pool in use while a thread waits for one: what the
// borrowers have is held by a field, by the waiting thread itself, or by threads at work.
func TestPoolUsedUp(t *testing.T) {
	for _, row := range []struct {
		holder, summary string // summary is "" for no finding
	}{
		{"field", "What their borrowers have is held by field Repository.open, from static field Repository.INSTANCE on"},
		{"borrower", "such threads have 4 themselves: each needs another connection"},
		{"worker", ""},
		{"worker and table", ""},
		{"worker's ThreadLocal", ""},
		{"idle thread's ThreadLocal", `What their borrowers have is held by a ThreadLocal of thread "job-1"`},
	} {
		t.Run(row.holder, func(t *testing.T) {
			j := hproftest.NewJDK(17, 8)
			config := j.Class("com.zaxxer.hikari.HikariConfig", j.Object, hproftest.Int("maxPoolSize"))
			base := j.Class("com.zaxxer.hikari.pool.PoolBase", j.Object, hproftest.Ref("config"))
			pool := j.New(j.Class("com.zaxxer.hikari.pool.HikariPool", base)).Set("config", j.New(config).Set("maxPoolSize", int32(4)))
			entry := j.Class("com.zaxxer.hikari.pool.PoolEntry", j.Object, hproftest.Ref("connection"), hproftest.Int("state"), hproftest.Ref("hikariPool"))
			proxy := j.Class("com.zaxxer.hikari.pool.ProxyConnection", j.Object, hproftest.Ref("delegate"))
			results := j.Class("com.zaxxer.hikari.pool.ProxyResultSet", j.Object, hproftest.Ref("connection"))
			connection := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
			var had []*hproftest.Object
			for range 4 {
				c := j.New(connection)
				j.Root(hprof.SubRootJNIGlobal, j.New(entry).Set("connection", c).Set("hikariPool", pool).Set("state", int32(1)))
				had = append(had, j.New(results).Set("connection", j.New(proxy).Set("delegate", c)))
			}
			service := j.Class("com.acme.Service", j.Object)
			waits := hproftest.Frame{Class: j.Class("com.zaxxer.hikari.util.ConcurrentBag", j.Object), Method: "borrow"}
			call := hproftest.Frame{Class: service, Method: "call"}
			switch row.holder {
			case "field":
				repository := j.Class("com.acme.Repository", j.Object, hproftest.Ref("open"))
				repository.Static("INSTANCE", j.New(repository).Set("open", j.Array(j.Objects, had...)))
				j.NewThread(j.Thread, "PostgreSQL-JDBC-Cleaner", // idle, though in the driver
					hproftest.Frame{Class: j.Class("java.lang.ref.ReferenceQueue", j.Object), Method: "remove"},
					hproftest.Frame{Class: j.Class("org.postgresql.util.LazyCleaner$1", j.Object), Method: "run"})
			case "borrower":
				call.Locals = had
			case "worker":
				j.NewThread(j.Thread, "worker", hproftest.Frame{Class: service, Method: "work", Locals: had})
			case "worker and table":
				transaction := j.Class("com.acme.Transaction", j.Object, hproftest.Ref("connection"))
				var table []*hproftest.Object
				for i, c := range had {
					table = append(table, j.New(transaction).Set("connection", c))
					j.NewThread(j.Thread, fmt.Sprintf("worker-%d", i), hproftest.Frame{Class: service, Method: "work", Locals: table[i:]})
				}
				j.Class("com.acme.Transactions", j.Object).Static("ACTIVE", j.Array(j.Objects, table...))
			default:
				entry := j.Class("java.lang.ThreadLocal$ThreadLocalMap$Entry", j.WeakReference, hproftest.Ref("value"))
				m := j.New(j.Class("java.lang.ThreadLocal$ThreadLocalMap", j.Object, hproftest.Ref("table")))
				m.Set("table", j.Array(j.Class("[Ljava.lang.ThreadLocal$ThreadLocalMap$Entry;", j.Object), j.New(entry).Set("value", j.Array(j.Objects, had...))))
				at := hproftest.Frame{Class: service, Method: "work"}
				if row.holder != "worker's ThreadLocal" {
					at = hproftest.Frame{Class: j.ClassNamed("java.util.concurrent.ThreadPoolExecutor"), Method: "getTask"}
				}
				j.NewThread(j.Thread, "job-1", at).Set("threadLocals", m)
			}
			j.NewThread(j.Thread, "http-1", waits, call)
			found := detect(t, j)
			if row.summary == "" {
				assert.Empty(t, byKind("abandoned-connections", found))
				return
			}
			f := only(t, "abandoned-connections", found)
			assert.Equal(t, finding.SeverityCritical, f.Severity)
			assert.Equal(t, int64(4), f.Objects)
			assert.Contains(t, f.Title, "used up: all its 4 connections are in use")
			assert.Contains(t, f.Summary, "1 thread waits for one")
			assert.Contains(t, f.Summary, row.summary)
		})
	}
}

// TestAbandonedDbcp has pools of Commons DBCP 2 and of Tomcat's copy of it, of which three
// connections are lost, one is lent and one is idle.
func TestAbandonedDbcp(t *testing.T) {
	for _, in := range []string{"org.apache.commons.", "org.apache.tomcat.dbcp."} {
		j := hproftest.NewJDK(17, 8)
		state := j.Class(in+"pool2.PooledObjectState", j.Class("java.lang.Enum", j.Object, hproftest.Ref("name")))
		allocated, idle := j.New(state).Set("name", j.String("ALLOCATED")), j.New(state).Set("name", j.String("IDLE"))
		wrapper := j.Class(in+"dbcp2.DelegatingConnection", j.Object, hproftest.Ref("connection"))
		guard := j.Class(in+"dbcp2.PoolingDataSource$PoolGuardConnectionWrapper", wrapper)
		poolable := j.Class(in+"dbcp2.PoolableConnection", wrapper, hproftest.Ref("pool"))
		pooled := j.Class(in+"pool2.impl.DefaultPooledObject", j.Object, hproftest.Ref("object"), hproftest.Ref("state"))
		pool := j.New(j.Class(in+"pool2.impl.GenericObjectPool", j.Object))
		driver := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
		for i := range 5 {
			c := j.New(poolable).Set("connection", j.New(driver)).Set("pool", pool)
			o := j.New(pooled).Set("object", c).Set("state", allocated)
			j.Root(hprof.SubRootJNIGlobal, o)
			w := j.New(guard).Set("connection", c) // garbage
			if i == 3 {
				j.Root(hprof.SubRootJNIGlobal, w)
			}
			if i == 4 {
				o.Set("state", idle)
			}
		}
		f := only(t, "abandoned-connections", detect(t, j))
		assert.Equal(t, int64(3), f.Objects)
		assert.Equal(t, "org.postgresql.jdbc.PgConnection", f.Culprit.Class)
		assert.Equal(t, finding.SeverityCritical, f.Severity)
		assert.Contains(t, f.Summary, "4 of its 5 connections are in use")
	}
}

// TestConnectionsOnTheirWay has connections in use that no borrower has anything of, since the
// pools test them before they lend them: threads have them in hand.
func TestConnectionsOnTheirWay(t *testing.T) {
	t.Run("Commons DBCP", func(t *testing.T) {
		const in = "org.apache.tomcat.dbcp."
		j := hproftest.NewJDK(17, 8)
		state := j.Class(in+"pool2.PooledObjectState", j.Class("java.lang.Enum", j.Object, hproftest.Ref("name")))
		allocated := j.New(state).Set("name", j.String("ALLOCATED"))
		wrapper := j.Class(in+"dbcp2.DelegatingConnection", j.Object, hproftest.Ref("connection"))
		poolable := j.Class(in+"dbcp2.PoolableConnection", wrapper, hproftest.Ref("pool"))
		pooled := j.Class(in+"pool2.impl.DefaultPooledObject", j.Object, hproftest.Ref("object"), hproftest.Ref("state"))
		borrows := j.Class(in+"pool2.impl.GenericObjectPool", j.Object)
		pool := j.New(borrows)
		driver := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
		for i := range 3 {
			own := j.New(driver)
			c := j.New(poolable).Set("connection", own).Set("pool", pool)
			o := j.New(pooled).Set("object", c).Set("state", allocated)
			j.Root(hprof.SubRootJNIGlobal, o)
			if i > 0 { // the first one is lost: what is told of it must not tell of the others
				j.NewThread(j.Thread, fmt.Sprintf("http-%d", i),
					hproftest.Frame{Class: driver, Method: "isValid", Locals: []*hproftest.Object{own}}, hproftest.Frame{Class: poolable, Method: "validate"},
					hproftest.Frame{Class: borrows, Method: "borrowObject", Locals: []*hproftest.Object{pool}})
			}
		}
		f := only(t, "abandoned-connections", detect(t, j))
		assert.Equal(t, int64(1), f.Objects)
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.NotContains(t, f.Summary, "for a connection", "those threads have got one")
	})
	t.Run("HikariCP", func(t *testing.T) {
		j, entries := hikariEntries(0, 5, 10)
		pool := j.ClassNamed("com.zaxxer.hikari.pool.HikariPool")
		acme := j.Class("com.acme.Orders", j.Object)
		for i, e := range entries[2:5] {
			j.NewThread(j.Thread, fmt.Sprintf("http-%d", i), hproftest.Frame{Class: pool, Method: "getConnection", Locals: []*hproftest.Object{e}}, hproftest.Frame{Class: acme, Method: "list"})
		}
		// The thread that opens connections is at the next one, and a call is done with another's driver.
		j.NewThread(j.Thread, "connection adder", hproftest.Frame{Class: pool, Method: "call", Locals: []*hproftest.Object{entries[0]}}, hproftest.Frame{Class: j.Thread, Method: "run"})
		j.NewThread(j.Thread, "http-9", hproftest.Frame{Class: acme, Method: "list", Locals: []*hproftest.Object{entries[1]}})
		f := only(t, "abandoned-connections", detect(t, j))
		assert.Equal(t, int64(2), f.Objects)
	})
}

// TestOldDriverVersion has the fields of pgjdbc before 42.
func TestOldDriverVersion(t *testing.T) {
	j := seed(17, 1500, 0)
	j.Class("org.postgresql.Driver", j.Object).Static("MAJORVERSION", int32(9)).Static("MINORVERSION", int32(2))
	j.Class("org.postgresql.util.PSQLDriverVersion", j.Object).Static("buildNumber", int32(1003))
	f := only(t, "timer-held", detect(t, j))
	assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "driver", Value: "pgjdbc 9.2-1003"})
}

// TestWheelTimer has Netty's timer under another package, with timeouts in a bucket and
// cancelled ones that no tick has taken out.
func TestWheelTimer(t *testing.T) {
	const name = "io.grpc.netty.shaded.io.netty.util.HashedWheelTimer"
	j := hproftest.NewJDK(17, 8)
	timeout := j.Class(name+"$HashedWheelTimeout", j.Object, hproftest.Ref("task"), hproftest.Int("state"), hproftest.Ref("next"), hproftest.Long("deadline"))
	bucket := j.Class(name+"$HashedWheelBucket", j.Object, hproftest.Ref("head"))
	buckets := j.Class("["+"L"+name+"$HashedWheelBucket;", j.Object)
	timer := j.Class(name, j.Object, hproftest.Ref("wheel"), hproftest.Ref("workerThread"))
	call := j.Class("com.acme.Call", j.Object, hproftest.Ref("data"))
	ping := j.Class("com.acme.Ping", j.Object, hproftest.Ref("data"))
	var head *hproftest.Object
	for i := range 2000 {
		state := int32(1)
		if i < 100 {
			state = 0
		} else if i < 150 {
			state = 2
		}
		class := call
		if i == 10 {
			class = ping
		}
		head = j.New(timeout).Set("task", j.New(class).Set("data", j.Bytes(make([]byte, 500)))).Set("state", state).Set("next", head)
		head.Set("deadline", int64(5000+(i+1990)%2000))
	}
	wheel := j.Array(buckets, nil, j.New(bucket).Set("head", head), nil, nil)
	// The worker has a timeout in hand, between the queue and its bucket, and runs another one's task.
	one := j.New(timer).Set("wheel", wheel)
	work := j.Class(name+"$Worker", j.Object, hproftest.Ref("this$0"))
	hand := j.New(timeout).Set("task", j.New(call)).Set("deadline", int64(9000))
	worker := j.NewThread(j.Thread, "grpc-timer-1-1",
		hproftest.Frame{Class: j.Class("com.acme.Notify", j.Object), Method: "send", Line: 7},
		hproftest.Frame{Class: timeout, Method: "expire", Line: 701},
		hproftest.Frame{Class: work, Method: "run", Line: 501, Locals: []*hproftest.Object{j.New(work).Set("this$0", one), hand}})
	j.SetThread(worker, 5, false, hproftest.Parked)
	j.Root(hprof.SubRootJNIGlobal, one.Set("workerThread", worker))
	h := analyse(t, j.Finish())
	schedulers, _ := h.Schedulers()
	require.Len(t, schedulers, 1)
	s := schedulers[0]
	assert.Equal(t, "HashedWheelTimer", s.Kind)
	assert.Equal(t, "grpc-timer-1-1", s.Thread)
	assert.Equal(t, int64(1951), s.Size)
	assert.Greater(t, *s.RetainedBytes, int64(2000*500))
	assert.Equal(t, int64(1850), s.Cancelled)
	assert.Equal(t, "com.acme.Ping", s.HeadTask)
	assert.Equal(t, []finding.TaskCount{{Class: "com.acme.Call", State: "cancelled", Count: 1850}, {Class: "com.acme.Call", State: "scheduled", Count: 100},
		{Class: "com.acme.Ping", State: "scheduled", Count: 1}}, s.Tasks)
	found, err := finding.Detect(context.Background(), h)
	require.NoError(t, err)
	f := only(t, "scheduler-held", found)
	assert.Equal(t, "com.acme.Call", f.Culprit.Class)
	assert.Equal(t, finding.SeverityCritical, f.Severity)
	assert.Contains(t, f.Summary, "at its next tick, but Notify.send() keeps it. It waits without a time limit")
	assert.Contains(t, f.Evidence.Stack, "com.acme.Notify.send(Notify.java:7)")
}

// TestDelayScheduler has the scheduler of a ForkJoinPool of JDK 25.
func TestDelayScheduler(t *testing.T) {
	j := hproftest.NewJDK(25, 8)
	const name = "java.util.concurrent.DelayScheduler"
	pool := j.New(j.Class("java.util.concurrent.ForkJoinPool", j.Object, hproftest.Ref("delayScheduler")))
	scheduler := j.Class(name, j.Thread)
	joinTask := j.Class("java.util.concurrent.ForkJoinTask", j.Object, hproftest.Int("status"))
	task := j.Class(name+"$ScheduledForkJoinTask", joinTask, hproftest.Ref("pool"), hproftest.Ref("runnable"), hproftest.Int("heapIndex"))
	tasks := j.Class("[L"+name+"$ScheduledForkJoinTask;", j.Object)
	job := j.Class("com.acme.Job", j.Object)
	ping := j.Class("com.acme.Ping", j.Object)
	add := func(status, place int32) *hproftest.Object {
		class := job
		if place == 0 {
			class = ping
		}
		return j.New(task).Set("pool", pool).Set("runnable", j.New(class)).Set("status", status).Set("heapIndex", place)
	}
	const done, abnormal = -1 << 31, 1 << 16
	heap := j.Array(tasks, add(0, 0), add(done|abnormal, 1), add(0, 2), nil)
	j.Root(hprof.SubRootJNIGlobal, add(0, -1)) // not in the queue
	pool.Set("delayScheduler", j.NewThread(scheduler, "ForkJoinPool-1-delayScheduler",
		hproftest.Frame{Class: scheduler, Method: "loop", Locals: []*hproftest.Object{heap}}))
	schedulers, _ := analyse(t, j.Finish()).Schedulers()
	require.Len(t, schedulers, 1)
	s := schedulers[0]
	assert.Equal(t, "DelayScheduler", s.Kind)
	assert.Equal(t, "ForkJoinPool-1-delayScheduler", s.Thread)
	assert.Equal(t, int64(3), s.Size)
	assert.Equal(t, int64(4), s.Capacity)
	assert.Equal(t, int64(1), s.Cancelled)
	assert.Equal(t, "com.acme.Job", s.Tasks[0].Class)
	assert.Equal(t, "com.acme.Ping", s.HeadTask)
}
