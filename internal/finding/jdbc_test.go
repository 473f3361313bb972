package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// oracle builds the connections of Oracle's driver, whose statements are a chain.
type oracle struct {
	*hproftest.JDK
	connection, statement, cache *hproftest.Class
}

func newOracle() *oracle {
	j := hproftest.NewJDK(17, 8)
	const in = "oracle.jdbc.driver."
	physical := j.Class(in+"PhysicalConnection", j.Object, hproftest.Ref("statements"), hproftest.Int("lifecycle"), hproftest.Ref("statementCache"))
	statement := j.Class(in+"OracleStatement", j.Object, hproftest.Ref("next"), hproftest.Ref("prev"), hproftest.Ref("rows"), hproftest.Bool("closed"))
	return &oracle{
		JDK:        j,
		connection: j.Class(in+"T4CConnection", physical),
		statement:  j.Class(in+"T4CPreparedStatement", statement),
		cache:      j.Class(in+"LRUStatementCache", j.Object, hproftest.Ref("content")),
	}
}

// connect adds a connection that is open, or closed, with statements of some size.
func (o *oracle) connect(open bool, statements, size int) *hproftest.Object {
	lifecycle := int32(4)
	if open {
		lifecycle = 1
	}
	var first *hproftest.Object
	for range statements {
		s := o.New(o.statement).Set("next", first).Set("rows", o.Bytes(make([]byte, size)))
		if first != nil {
			first.Set("prev", s)
		}
		first = s
	}
	return o.New(o.connection).Set("lifecycle", lifecycle).Set("statements", first)
}

// cached adds a connection whose statements are all closed, and kept for later.
func (o *oracle) cached(n int) *hproftest.Object {
	var first *hproftest.Object
	for range n {
		first = o.New(o.statement).Set("next", first).Set("closed", true)
	}
	return o.New(o.connection).Set("lifecycle", int32(1)).Set("statements", first)
}

// TestOpenConnections has connections that are in no pool, and some that are closed or in
// a pool that nobody knows.
func TestOpenConnections(t *testing.T) {
	for _, row := range []struct {
		open, pooled int
		want         finding.Severity // "" for no finding
	}{
		{15, 200, ""},
		{20, 0, finding.SeverityInfo},
		{100, 10, finding.SeverityWarning},
	} {
		o := newOracle()
		cart := o.Class("com.acme.Cart", o.Object, hproftest.Ref("connection"))
		pool := o.Class("com.acme.ConnectionPoolEntry", o.Object, hproftest.Ref("connection"))
		for i := range 200 + row.open + row.pooled {
			holder := o.New(cart)
			if i >= 200+row.open {
				holder = o.New(pool)
			}
			o.Root(hprof.SubRootJNIGlobal, holder.Set("connection", o.connect(i >= 200, 1, 10)))
		}
		found := byKind("open-connections", detect(t, o.JDK))
		if row.want == "" {
			assert.Empty(t, found)
			continue
		}
		f := only(t, "open-connections", found)
		assert.Equal(t, row.want, f.Severity)
		assert.Equal(t, int64(row.open), f.Objects)
		assert.Contains(t, f.Summary, "Cart.connection")
	}
}

// TestOpenStatements has two connections with many statements and one with a few.
func TestOpenStatements(t *testing.T) {
	o := newOracle()
	o.Root(hprof.SubRootJNIGlobal, o.Bytes(make([]byte, 8<<20)))
	for _, n := range []int{1500, 2500, 900} {
		o.Root(hprof.SubRootJNIGlobal, o.connect(true, n, 10))
	}
	o.Root(hprof.SubRootJNIGlobal, o.cached(1500))
	f := only(t, "open-statements", detect(t, o.JDK))
	assert.Equal(t, int64(4000), f.Objects)
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Equal(t, "oracle.jdbc.driver.T4CPreparedStatement", f.Culprit.Class)
	assert.Equal(t, "4,000 T4CPreparedStatement not closed at 2 connections", f.Title)
	assert.Contains(t, f.Summary, "One T4CConnection has 2,500")
}

// TestAlarmCoversRemark has a list of statements: what is said of them says it of the list.
func TestAlarmCoversRemark(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	connection := j.Class("com.mysql.cj.jdbc.ConnectionImpl", j.Object, hproftest.Ref("openStatements"))
	statement := j.Class("com.mysql.cj.jdbc.ClientPreparedStatement", j.Object, hproftest.Ref("query"))
	list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
	fill := func(c *hproftest.Class, n int) *hproftest.Object {
		var all []*hproftest.Object
		for range n {
			all = append(all, j.New(c).Set("query", j.Bytes(make([]byte, 1000))))
		}
		return j.New(list).Set("elementData", j.Array(j.Objects, all...)).Set("size", int32(n))
	}
	j.Root(hprof.SubRootJNIGlobal, j.New(connection).Set("openStatements", fill(statement, 2000)))
	j.Class("com.acme.Orders", j.Object).Static("ALL", fill(j.Class("com.acme.Order", j.Object, hproftest.Ref("query")), 2000))
	found := detect(t, j)
	assert.Equal(t, finding.SeverityCritical, only(t, "open-statements", found).Severity)
	assert.Contains(t, only(t, "growing-collection", found).Title, "com.acme.Order", "the other list")
}

// TestStatementCache has caches of some share of a heap of 32 MiB.
func TestStatementCache(t *testing.T) {
	for _, row := range []struct {
		mib  int
		want finding.Severity // "" for no finding
	}{{2, ""}, {12, finding.SeverityInfo}, {20, finding.SeverityWarning}} {
		t.Run(fmt.Sprint(row.mib), func(t *testing.T) {
			o := newOracle()
			o.Root(hprof.SubRootJNIGlobal, o.Bytes(make([]byte, (32-row.mib)<<20)))
			for range row.mib {
				cache := o.New(o.cache).Set("content", o.Bytes(make([]byte, 1<<20)))
				o.Root(hprof.SubRootJNIGlobal, o.connect(true, 1, 10).Set("statementCache", cache))
			}
			found := byKind("statement-cache", detect(t, o.JDK))
			if row.want == "" {
				assert.Empty(t, found)
				return
			}
			f := only(t, "statement-cache", found)
			assert.Equal(t, row.want, f.Severity)
			assert.Equal(t, int64(row.mib), f.Objects)
			assert.Equal(t, "oracle.jdbc.driver.LRUStatementCache", f.Culprit.Class)
		})
	}
}

// TestAbandonedC3P0 has a pool whose connections are idle, lent, or lost.
func TestAbandonedC3P0(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	physical := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
	proxy := j.Class("com.mchange.v2.c3p0.impl.NewProxyConnection", j.Object)
	pooled := j.Class("com.mchange.v2.c3p0.impl.NewPooledConnection", j.Object, hproftest.Ref("physicalConnection"), hproftest.Ref("exposedProxy"))
	pool := j.Class("com.mchange.v2.resourcepool.BasicResourcePool", j.Object, hproftest.Ref("managed"), hproftest.Int("max"))
	managed := j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"))
	var all []*hproftest.Object
	for i := range 5 {
		c := j.New(pooled).Set("physicalConnection", j.New(physical))
		if i > 0 {
			p := j.New(proxy)
			c.Set("exposedProxy", p)
			if i > 2 {
				j.Root(hprof.SubRootJNIGlobal, p)
			}
		}
		all = append(all, c)
	}
	table := j.Array(j.Class("[Ljava.lang.Object;", j.Object), all...)
	j.Root(hprof.SubRootJNIGlobal, j.New(pool).Set("managed", j.New(managed).Set("table", table)).Set("max", int32(20)))
	f := only(t, "abandoned-connections", detect(t, j))
	assert.Equal(t, int64(2), f.Objects)
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Contains(t, f.Title, "c3p0 pool")
	assert.Contains(t, f.Summary, "4 of its 5 connections are in use")
}

// TestDriverOfJar has a driver whose fields do not tell its version.
func TestDriverOfJar(t *testing.T) {
	o := newOracle()
	url := o.Class("java.net.URL", o.Object, hproftest.Ref("file"))
	for _, file := range []string{"/app/lib/h2-2.3.232.jar", "/app.jar!/BOOT-INF/lib/ojdbc11-23.8.0.25.04.jar!/"} {
		o.Root(hprof.SubRootJNIGlobal, o.New(url).Set("file", o.String(file)))
	}
	o.Root(hprof.SubRootJNIGlobal, o.connect(true, 1500, 10))
	f := only(t, "open-statements", detect(t, o.JDK))
	assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "driver", Value: "ojdbc11-23.8.0.25.04"})
}

// TestHeldStatements has a driver that keeps no list of its statements: somebody else does, with
// those that are closed among them.
func TestHeldStatements(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	connection := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
	base := j.Class("org.postgresql.jdbc.PgStatement", j.Object, hproftest.Ref("connection"), hproftest.Int("isClosed"))
	prepared := j.Class("org.postgresql.jdbc.PgPreparedStatement", base)
	f := func(open, closed int) []finding.Finding {
		one := j.New(connection)
		var all []*hproftest.Object
		for i := range open + closed {
			s := j.New(prepared).Set("connection", one)
			if i >= open {
				s.Set("isClosed", int32(1))
			}
			all = append(all, s)
		}
		j.Class("com.acme.Reports", j.Object).Static("running", j.Array(j.Objects, all...))
		return byKind("open-statements", detect(t, j))
	}
	assert.Empty(t, f(900, 900))
	found := only(t, "open-statements", f(1500, 900))
	assert.Equal(t, int64(1500), found.Objects)
	assert.Equal(t, "org.postgresql.jdbc.PgPreparedStatement", found.Culprit.Class)
	assert.Equal(t, "running", found.Culprit.Field)
	assert.Contains(t, found.Summary, "Reports.running holds them")
}

// TestClosedConnections has connections of MySQL's driver that are tracked by phantom references,
// some of them gone.
func TestClosedConnections(t *testing.T) {
	f := func(gone, open int, filler int) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		connection := j.Class("com.mysql.cj.jdbc.ConnectionImpl", j.Object)
		reference := j.Class("com.mysql.cj.jdbc.AbandonedConnectionCleanupThread$ConnectionFinalizerPhantomReference",
			j.ClassNamed("java.lang.ref.PhantomReference"), hproftest.Ref("networkResources"))
		var tracked []*hproftest.Object
		for i := range gone + open {
			c := j.New(connection)
			if i >= gone {
				j.Root(hprof.SubRootJNIGlobal, c)
			}
			tracked = append(tracked, j.New(reference).Set("referent", c).Set("networkResources", j.Bytes(make([]byte, 16<<10))))
		}
		j.Class("com.mysql.cj.jdbc.AbandonedConnectionCleanupThread", j.Object).Static("connectionFinalizerPhantomRefs", j.Array(j.Objects, tracked...))
		j.Root(hprof.SubRootJNIGlobal, j.Bytes(make([]byte, filler)))
		return byKind("closed-connections", detect(t, j))
	}
	assert.Empty(t, f(50, 500, 0))
	assert.Equal(t, finding.SeverityInfo, only(t, "closed-connections", f(150, 10, 0)).Severity)
	assert.Equal(t, finding.SeverityInfo, only(t, "closed-connections", f(400, 10, 32<<20)).Severity, "little of the heap")
	found := only(t, "closed-connections", f(400, 10, 1<<20))
	assert.Equal(t, finding.SeverityWarning, found.Severity)
	assert.Equal(t, int64(400), found.Objects)
	assert.Contains(t, found.Summary, "10 tracked connections are in use")
	assert.Contains(t, found.Advice, "disableAbandonedConnectionCleanup")
}

// TestStatementsOfSQLite has a connection whose database lists what is not closed, in a set of the JDK's.
func TestStatementsOfSQLite(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	database := j.Class("org.sqlite.core.NativeDB", j.Class("org.sqlite.core.DB", j.Object, hproftest.Ref("stmts")))
	statement := j.Class("org.sqlite.core.SafeStmtPtr", j.Object, hproftest.Bool("closed"))
	keys := j.Class("java.util.concurrent.ConcurrentHashMap$KeySetView", j.Object, hproftest.Ref("map"))
	var open []*hproftest.Object
	for range 1500 {
		open = append(open, j.New(statement))
	}
	db := j.New(database).Set("stmts", j.New(keys).Set("map", j.Array(j.Objects, open...)))
	connection := j.Class("org.sqlite.jdbc4.JDBC4Connection", j.Class("org.sqlite.SQLiteConnection", j.Object, hproftest.Ref("db")))
	j.Root(hprof.SubRootJNIGlobal, j.New(connection).Set("db", db))
	for range 150 { // one for each file
		j.Root(hprof.SubRootJNIGlobal, j.New(connection).Set("db", j.New(database)))
	}
	found := detect(t, j)
	f := only(t, "open-statements", found)
	assert.Equal(t, int64(1500), f.Objects)
	assert.Equal(t, "stmts", f.Culprit.Field)
	assert.Empty(t, byKind("open-connections", found), "a connection is a file")
}
