package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// dbcpPackages are where Commons DBCP 2 and its pool live: their own, and Tomcat's copy.
func dbcpPackages() [][2]string {
	return [][2]string{
		{"org.apache.commons.dbcp2.", "org.apache.commons.pool2.impl."},
		{"org.apache.tomcat.dbcp.dbcp2.", "org.apache.tomcat.dbcp.pool2.impl."},
	}
}

// The tables of one of the packages, counted from tableDbcp, and their columns.
const (
	dbcpWrapper = iota // a connection around another one
	dbcpConnection
	dbcpPooled
	dbcpTables // how many there are

	dbcpWrapped     = 0 // of dbcpWrapper
	dbcpPool        = 0 // of dbcpConnection
	dbcpPooledWhat  = 0 // of dbcpPooled
	dbcpPooledState = 1
)

// dbcpWatches are the tables from tableDbcp on.
//
// Source: Commons DBCP 2.0 to 2.12, Commons Pool 2.
func dbcpWatches() []heap.Watch {
	var watches []heap.Watch
	for _, p := range dbcpPackages() {
		wrapper, connection, pooled := p[0]+"DelegatingConnection", p[0]+"PoolableConnection", p[1]+"DefaultPooledObject"
		watches = append(watches,
			heap.Watch{Class: wrapper, Fields: []heap.FieldName{{Class: wrapper, Field: "connection"}}},
			heap.Watch{Class: connection, Fields: []heap.FieldName{{Class: connection, Field: "pool"}}},
			heap.Watch{Class: pooled, Fields: []heap.FieldName{{Class: pooled, Field: "object"}, {Class: pooled, Field: "state"}}})
	}
	return watches
}

// dbcpPools returns the pools of Commons DBCP 2. What a borrower gets is a wrapper of its
// own around the pool's connection. Errors: that of ctx.
func (h *Heap) dbcpPools(ctx context.Context) ([]*connectionPool, error) {
	pools := poolSet{kind: "Commons DBCP"}
	for i := range dbcpPackages() {
		at := tableDbcp + i*dbcpTables
		wrappers, connections, pooled := h.Tables[at+dbcpWrapper], h.Tables[at+dbcpConnection], h.Tables[at+dbcpPooled]
		out := map[heap.ObjID]heap.ObjID{} // what borrowers have, by the pool's connection
		for row, o := range wrappers.Objects {
			if h.reachable(o) && connections.Row(o) < 0 {
				out[wrappers.Ref(row, dbcpWrapped)] = o
			}
		}
		states, err := h.enumsOf(ctx, pooled, dbcpPooledState)
		if err != nil {
			return nil, err
		}
		for row, o := range pooled.Objects {
			c := pooled.Ref(row, dbcpPooledWhat)
			r := connections.Row(c)
			if r < 0 || !h.reachable(o) {
				continue
			}
			lent := out[c]
			if w := wrappers.Row(c); w >= 0 && wrappers.Ref(w, dbcpWrapped) != 0 {
				c = wrappers.Ref(w, dbcpWrapped) // the driver's
			}
			pools.of(connections.Ref(r, dbcpPool)).add(c, states[pooled.Ref(row, dbcpPooledState)] == "ALLOCATED", lent)
		}
	}
	return slices.DeleteFunc(pools.all, func(p *connectionPool) bool { return p.object == 0 }), nil
}
