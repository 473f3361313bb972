package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// poolsDrained finds connections that were borrowed from a pool and never given back:
// the pool counts them as in use, and nothing in the heap refers to what the borrower
// got. HikariCP, Tomcat's JDBC pool, Commons DBCP 2, c3p0, Agroal, and pools of anything by Commons Pool 2 are known.
type poolsDrained struct{}

const (
	hikari       = "com.zaxxer.hikari."
	tomcatPool   = "org.apache.tomcat.jdbc.pool."
	hikariInUse  = 1 // ConcurrentBag.IConcurrentBagEntry.STATE_IN_USE
	fewAbandoned = 2 // one may just be on its way to its borrower
)

// The columns of the tables from tableHikariPool on.
const (
	hikariPoolName        = 0
	hikariPoolConfig      = 1
	hikariConfigMax       = 0
	hikariEntryState      = 0
	hikariEntryPool       = 1
	hikariEntryConnection = 2
	hikariProxyDelegate   = 0
	tomcatPoolBusy        = 0
	tomcatPoolIdle        = 1
	tomcatHandler         = 0
	tomcatConnection      = 1
	interceptorNext       = 0
	tomcatPoolProperties  = 2
	propertiesFacade      = 0
)

// connectionWatches are the tables from tableHikariPool on.
//
// Sources: HikariCP 2 to 6; tomcat-jdbc 7 to 11.
func connectionWatches() []heap.Watch {
	base, interceptor := hikari+"pool.PoolBase", tomcatPool+"JdbcInterceptor"
	field := func(class, name string) heap.FieldName { return heap.FieldName{Class: class, Field: name} }
	watch := func(class string, fields ...heap.FieldName) heap.Watch {
		return heap.Watch{Class: class, Fields: fields}
	}
	properties := tomcatPool + "PoolProperties"
	entry, proxy, pooled := hikari+"pool.PoolEntry", hikari+"pool.ProxyConnection", tomcatPool+"PooledConnection"
	return []heap.Watch{
		watch(hikari+"pool.HikariPool", field(base, "poolName"), field(base, "config")),
		watch(hikari+"HikariConfig", field(hikari+"HikariConfig", "maxPoolSize")),
		watch(entry, field(entry, "state"), field(entry, "hikariPool"), field(entry, "connection")),
		watch(proxy, field(proxy, "delegate")),
		watch(tomcatPool+"ConnectionPool", field(tomcatPool+"ConnectionPool", "busy"), field(tomcatPool+"ConnectionPool", "idle"), field(tomcatPool+"ConnectionPool", "poolProperties")),
		watch(pooled, field(pooled, "handler"), field(pooled, "connection")),
		watch(interceptor, field(interceptor, "next")),
		watch(properties, field(properties, "useDisposableConnectionFacade")),
	}
}

// connectionPool is a pool with what became of its connections.
type connectionPool struct {
	object heap.ObjID
	kind   string
	name   string
	// size, used and max count connections; max is 0 where it is not known.
	size, used, max int64
	// connections are the driver's, and lost those in use that nobody can give back any more.
	connections, lost []heap.ObjID
	// lent is what borrowers have of the others in use.
	lent []heap.ObjID
}

// connectionPools returns all pools that are known. Errors: that of ctx.
func (h *Heap) connectionPools(ctx context.Context) ([]*connectionPool, error) {
	pools, err := h.hikariPools(ctx)
	if err != nil {
		return nil, err
	}
	dbcp, err := h.dbcpPools(ctx)
	if err != nil {
		return nil, err
	}
	c3p0, err := h.c3p0Pools(ctx)
	if err != nil {
		return nil, err
	}
	agroal, err := h.agroalPools(ctx)
	if err != nil {
		return nil, err
	}
	others, err := h.objectPools(ctx)
	return slices.Concat(pools, h.tomcatPools(), dbcp, c3p0, agroal, others), err
}

// Detect implements Detector.
func (poolsDrained) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	pools, err := h.connectionPools(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, p := range pools {
		if len(p.lost) > 0 {
			way := h.onTheirWay(p)
			p.lost = slices.DeleteFunc(p.lost, func(o heap.ObjID) bool { return way[o] })
		}
		if len(p.lost) == 0 {
			if found, err = h.appendKept(ctx, found, p); err != nil {
				return nil, err
			}
			continue
		}
		path, err := h.pathTo(ctx, p.lost)
		if err != nil {
			return nil, err
		}
		bytes, err := h.retainedTogether(slices.Values(p.lost))
		if err != nil {
			return nil, err
		}
		found = append(found, h.poolFinding(p, bytes, path))
	}
	return found, nil
}

// hikariPools returns the pools of HikariCP.
func (h *Heap) hikariPools(ctx context.Context) ([]*connectionPool, error) {
	out := map[heap.ObjID]heap.ObjID{} // what borrowers have, by connection
	proxies := h.Tables[tableHikariProxy]
	for row, o := range proxies.Objects {
		if h.reachable(o) {
			out[proxies.Ref(row, hikariProxyDelegate)] = o
		}
	}
	pools, configs := h.Tables[tableHikariPool], h.Tables[tableHikariConfig]
	var names []heap.ObjID
	for row := range pools.Len() {
		names = append(names, pools.Ref(row, hikariPoolName))
	}
	text, err := h.Strings(ctx, slices.DeleteFunc(names, func(o heap.ObjID) bool { return o == 0 }))
	if err != nil {
		return nil, err
	}
	var all []*connectionPool
	byObject := map[heap.ObjID]*connectionPool{}
	for row, o := range pools.Objects {
		p := &connectionPool{object: o, kind: "HikariCP", name: text[pools.Ref(row, hikariPoolName)]}
		if r := configs.Row(pools.Ref(row, hikariPoolConfig)); r >= 0 {
			p.max = configs.Int(r, hikariConfigMax)
		}
		byObject[o] = p
		all = append(all, p)
	}
	entries := h.Tables[tableHikariEntry]
	for row, o := range entries.Objects {
		p, connection := byObject[entries.Ref(row, hikariEntryPool)], entries.Ref(row, hikariEntryConnection)
		if p == nil || connection == 0 || !h.reachable(o) {
			continue
		}
		p.add(connection, entries.Int(row, hikariEntryState) == hikariInUse, out[connection])
	}
	return all, nil
}

// add counts a connection of the pool. by is what its borrower has of it, 0 where nobody does.
func (p *connectionPool) add(connection heap.ObjID, used bool, by heap.ObjID) {
	p.size++
	p.connections = append(p.connections, connection)
	switch {
	case !used:
		return
	case by == 0:
		p.lost = append(p.lost, connection)
	default:
		p.lent = append(p.lent, by)
	}
	p.used++
}

// poolSet are the pools of a kind.
type poolSet struct {
	kind  string
	all   []*connectionPool
	known map[heap.ObjID]*connectionPool
}

// of returns the pool that an object is.
func (s *poolSet) of(object heap.ObjID) *connectionPool {
	p := s.known[object]
	if p == nil {
		p = &connectionPool{object: object, kind: s.kind}
		if s.known == nil {
			s.known = map[heap.ObjID]*connectionPool{}
		}
		s.known[object] = p
		s.all = append(s.all, p)
	}
	return p
}

// tomcatPools returns Tomcat's JDBC pools. What a borrower gets has a facade of its own
// before the connection's chain of interceptors; closing cuts it off. A pool that was told
// to do without facades is left out: nothing tells its borrowers from itself.
func (h *Heap) tomcatPools() []*connectionPool {
	out := map[heap.ObjID]heap.ObjID{} // what borrowers have, by interceptor
	interceptors := h.Tables[tableTomcatInterceptor]
	for _, o := range interceptors.Objects {
		if !h.reachable(o) || h.Class(o).Name != tomcatPool+"DisposableConnectionFacade" {
			continue
		}
		for row := interceptors.Row(o); row >= 0 && out[interceptors.Objects[row]] == 0; {
			out[interceptors.Objects[row]] = o
			row = interceptors.Row(interceptors.Ref(row, interceptorNext))
		}
	}
	pools, connections, properties := h.Tables[tableTomcatPool], h.Tables[tableTomcatConnection], h.Tables[tableTomcatProperties]
	var all []*connectionPool
	for row, o := range pools.Objects {
		if r := properties.Row(pools.Ref(row, tomcatPoolProperties)); r < 0 || properties.Int(r, propertiesFacade) == 0 {
			continue
		}
		p := &connectionPool{object: o, kind: "Tomcat JDBC"}
		for column, used := range map[int]bool{tomcatPoolBusy: true, tomcatPoolIdle: false} {
			for _, c := range h.queued(pools.Ref(row, column), connections) {
				r := connections.Row(c)
				p.add(cmp.Or(connections.Ref(r, tomcatConnection), c), used, out[connections.Ref(r, tomcatHandler)])
			}
		}
		all = append(all, p)
	}
	return all
}

// queued returns the objects with a row in the table that a queue holds.
func (h *Heap) queued(queue heap.ObjID, table *heap.Table) []heap.ObjID {
	var found []heap.ObjID
	seen, todo := map[heap.ObjID]bool{}, []heap.ObjID{queue}
	for len(todo) > 0 {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if o == 0 || seen[o] {
			continue
		}
		seen[o] = true
		if table.Row(o) >= 0 {
			found = append(found, o)
			continue
		}
		for r := range h.References(o) {
			if class := h.Class(r).Name; table.Row(r) >= 0 || strings.HasPrefix(class, "java.util.") || strings.HasSuffix(class, "[]") {
				todo = append(todo, r)
			}
		}
	}
	slices.Sort(found)
	return found
}

// waiters counts the threads that wait for a connection of such a pool.
func (h *Heap) waiters() (n int64) {
	for s := range h.Stacks() {
		if waitsForConnection(s) {
			n++
		}
	}
	return n
}

// waitsForConnection says whether a thread waits for a pool's connection: it is in the pool's call
// for that, and from there in the JDK's or the pool's own ones. In others, such as the driver's, it
// has got one, which is opened or tested.
func waitsForConnection(s heap.Stack) bool {
	at := slices.IndexFunc(s.Frames, borrows)
	return at >= 0 && !slices.ContainsFunc(s.Frames[:at], func(f heap.Frame) bool {
		return !hasPrefix(f.Class, []string{"java.", "jdk.", "sun.", packageOf(s.Frames[at].Class)})
	})
}

// packageOf is the name up to its last dot.
func packageOf(class string) string { return class[:strings.LastIndexByte(class, '.')+1] }

// borrows says whether a call is that of a pool for a connection, which may have to wait for one.
func borrows(f heap.Frame) bool {
	return f.Class == hikari+"util.ConcurrentBag" && f.Method == "borrow" || f.Class == tomcatPool+"ConnectionPool" && f.Method == "borrowConnection" ||
		f.Class == c3p0Pool && f.Method == "awaitAvailable" || f.Class == agroalPool && f.Method == "handlerFromSharedCache" || strings.HasSuffix(f.Class, ".impl.GenericObjectPool") && f.Method == "borrowObject"
}

// poolFinding words the verdict on a pool.
func (h *Heap) poolFinding(p *connectionPool, bytes int64, path *Path) Finding {
	n, waiting := int64(len(p.lost)), h.waiters()
	class := h.Class(p.lost[0]).Name
	name, one := p.called(), p.one()
	f := Finding{
		Kind: "abandoned-connections", Severity: p.severity(n), Confidence: ConfidenceHigh,
		Culprit:     Culprit{Class: class, Object: address(h.Address(p.object))},
		Objects:     n,
		Bytes:       bytes,
		Fingerprint: fingerprint("abandoned-connections", p.kind, p.name, class),
		Title:       fmt.Sprintf("%s of %s were never given back", unit.Plural(n, one, one+"s"), name),
		Summary: fmt.Sprintf("%s of its %s are in use, and of %s nothing in the heap has what close() is called on: the borrowers let go without closing (%s, retaining %s).",
			unit.Count(p.used), unit.Plural(p.size, one, one+"s"), unit.Count(n), clip(class, 80), unit.Bytes(bytes)),
		Evidence: Evidence{
			Facts:   []Fact{fact("pool", "%s @ %s", name, address(h.Address(p.object))), fact("in use", "%s of %s", unit.Count(p.used), unit.Count(p.size)), fact("abandoned", "%s", unit.Count(n))},
			Refutes: "the number in use falls to zero while nothing is running",
		},
		Advice: "Close every connection in a try-with-resources. Who borrowed them is told by " + p.tells() + ".",
	}
	if p.kind == objectPoolKind {
		f.Summary = fmt.Sprintf("%s of its %s are in use, and nothing but the pool refers to %s of them: the borrowers let go without returnObject() (%s, retaining %s).",
			unit.Count(p.used), unit.Plural(p.size, one, one+"s"), unit.Count(n), clip(class, 80), unit.Bytes(bytes))
		f.Advice = "Give every object back in a finally block (returnObject(), or close() where the object has one). Who borrowed them is told by " + p.tells() + "."
	}
	if p.max > 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("size of the pool", "%s at most", unit.Count(p.max)))
	}
	if waiting > 0 {
		f.Summary += fmt.Sprintf(" %s for one.", unit.Plural(waiting, "thread waits", "threads wait"))
	}
	if v := h.driverVersion(class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	f.Evidence.Path = path
	return f
}

// called names the pool for a sentence.
func (p *connectionPool) called() string {
	switch {
	case p.kind == objectPoolKind:
		return "a " + p.kind
	case p.name == "":
		return p.kind + " pool"
	}
	return fmt.Sprintf("%s pool %q", p.kind, clip(p.name, 60))
}

// one names what the pool has.
func (p *connectionPool) one() string {
	if p.kind == objectPoolKind {
		return "object"
	}
	return "connection"
}

// tells names the pool's own option that tells who borrowed a connection.
func (p *connectionPool) tells() string {
	switch p.kind {
	case "HikariCP":
		return "setLeakDetectionThreshold"
	case "c3p0":
		return "debugUnreturnedConnectionStackTraces with unreturnedConnectionTimeout"
	case "Agroal":
		return "leakTimeout (quarkus.datasource.jdbc.leak-detection-interval in Quarkus)"
	case objectPoolKind:
		return "setAbandonedConfig with setLogAbandoned and setRemoveAbandonedOnBorrow"
	case "Commons DBCP":
		return "logAbandoned with removeAbandonedOnBorrow"
	}
	return "logAbandoned with removeAbandoned"
}

// severity rests on how many there are, as each of them is gone for good.
func (p *connectionPool) severity(lost int64) Severity {
	switch {
	case lost < fewAbandoned:
		return SeverityInfo
	case lost*2 >= max(p.max, p.size):
		return SeverityCritical
	}
	return SeverityWarning
}
