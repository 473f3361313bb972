package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// statementPool is a cache of statements that a connection pool keeps beside the driver's own.
type statementPool struct {
	// classes is what the names of its classes begin with.
	classes string
	name    string
	// option is what bounds it.
	option string
}

// statementPools are those that are known.
//
// Sources: Commons DBCP 2.12 (PoolingConnection), tomcat-jdbc 9.0 (interceptor.StatementCache),
// c3p0 0.10 (stmt.GooGooStatementCache).
func statementPools() []statementPool {
	const dbcp = "maxOpenPreparedStatements of the BasicDataSource (without a bound unless set), or set its poolPreparedStatements to false"
	return []statementPool{
		{"org.apache.commons.dbcp2.PoolingConnection", "Commons DBCP", dbcp},
		{"org.apache.tomcat.dbcp.dbcp2.PoolingConnection", "Commons DBCP", dbcp},
		{"org.apache.tomcat.jdbc.pool.interceptor.StatementCache", "tomcat-jdbc", "max of its StatementCache interceptor"},
		{"com.mchange.v2.c3p0.stmt.", "c3p0", "maxStatements and maxStatementsPerConnection"},
	}
}

// statementPoolOn returns the cache that a way to statements leads through, ok being false where
// there is none, or where the pool says that most of its statements are with their borrowers.
// Errors: that of ctx.
func (h *Heap) statementPoolOn(ctx context.Context, path *Path) (pool statementPool, ok bool, err error) {
	if path == nil {
		return pool, false, nil
	}
	pools := statementPools()
	i := slices.IndexFunc(pools, func(p statementPool) bool {
		return slices.ContainsFunc(path.Steps, func(s Step) bool { return strings.HasPrefix(s.Class, p.classes) })
	})
	if i < 0 {
		return pool, false, nil
	}
	lent, err := h.lentStatements(ctx)
	return pools[i], !lent, err
}

// lentStatements says whether most statements in the pools of Commons DBCP are with borrowers who
// have not closed them. Errors: that of ctx.
func (h *Heap) lentStatements(ctx context.Context) (bool, error) {
	states := map[heap.ObjID]heap.ObjID{} // by entry of a pool
	for i := range dbcpPackages() {
		pooled := h.Tables[tableDbcp+i*dbcpTables+dbcpPooled]
		for row, o := range pooled.Objects {
			if strings.HasSuffix(h.Class(pooled.Ref(row, dbcpPooledWhat)).Name, "Statement") {
				states[o] = pooled.Ref(row, dbcpPooledState)
			}
		}
	}
	names, err := h.enumNames(ctx, states)
	lent := 0
	for _, state := range states {
		if names[state] == "ALLOCATED" {
			lent++
		}
	}
	return lent*2 > len(states), err
}

// wordPooled makes the verdict on open statements one on the cache that keeps them open: the
// program may well have closed them.
func (h *Heap) wordPooled(f *Finding, pool statementPool, largest, connections int64) {
	p := h.pressure()
	f.Kind, f.Confidence = "statement-cache", ConfidenceMedium
	f.Severity = p.severity(f.Bytes)
	if f.Bytes >= cacheBytes && f.Bytes*100 >= p.liveBytes*mostShare && f.Severity == SeverityInfo {
		f.Severity = SeverityWarning
	}
	f.Title = fmt.Sprintf("%s %s kept open by %s's cache of statements, of %s", unit.Count(f.Objects), short(f.Culprit.Class), pool.name,
		unit.Plural(connections, "connection", "connections"))
	f.Summary = fmt.Sprintf("Whoever closes one gives it back to the pool, which keeps it for the next call with the same SQL: up to %s for one connection. They retain %s (%s of the reachable heap), and each has its place at the database, too.",
		unit.Count(largest), unit.Bytes(f.Bytes), unit.Share(f.Bytes, p.liveBytes))
	f.Advice = fmt.Sprintf("Lower %s. SQL with values in its text fills such a cache with statements of no further use: bind parameters instead.", pool.option)
	f.Fingerprint = fingerprint("statement-cache", pool.name, f.Culprit.Class)
	f.Evidence.Refutes = "the same statements are run over and over, and the heap has room for all of them"
}
