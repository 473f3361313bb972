package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	objectPool     = "org.apache.commons.pool2.impl.GenericObjectPool"
	objectPoolBase = "org.apache.commons.pool2.impl.BaseGenericObjectPool"
	// objectPoolKind is what a pool of anything is called.
	objectPoolKind = "Commons Pool"
)

// The columns of tableObjectPool.
const (
	objectPoolAll = 0
	objectPoolMax = 1
)

// objectPools returns the pools of Commons Pool 2 whose objects are no JDBC connections: Jedis, sessions of
// SFTP or LDAP, parsers. A borrower gets the object itself; the pool refers to it by two parts of its own.
// Errors: that of ctx; no memory.
//
// Source: Commons Pool 2.4 to 2.12.
func (h *Heap) objectPools(ctx context.Context) ([]*connectionPool, error) {
	pools := h.Tables[tableObjectPool]
	if pools.Len() == 0 {
		return nil, nil
	}
	connections, pooled := h.Tables[tableDbcp+dbcpConnection], h.Tables[tableDbcp+dbcpPooled]
	states := map[heap.ObjID]heap.ObjID{}
	var objects []heap.ObjID
	for row, o := range pooled.Objects {
		if what := pooled.Ref(row, dbcpPooledWhat); what != 0 && connections.Row(what) < 0 {
			states[o] = pooled.Ref(row, dbcpPooledState)
			objects = append(objects, what)
		}
	}
	names, err := h.enumNames(ctx, states)
	if err != nil {
		return nil, err
	}
	own := slices.Concat(pooled.Objects, h.instances(objectPoolBase+"$IdentityWrapper"))
	tracks, err := h.TracksAround(ctx, own, objects)
	if err != nil {
		return nil, err
	}
	defer tracks.Free()
	var all []*connectionPool
	for row, o := range pools.Objects {
		if !h.reachable(o) {
			continue
		}
		p := &connectionPool{object: o, kind: objectPoolKind, max: pools.Int(row, objectPoolMax)}
		for _, e := range h.queued(pools.Ref(row, objectPoolAll), pooled) {
			if state, known := states[e]; known {
				what, by := pooled.Ref(pooled.Row(e), dbcpPooledWhat), heap.ObjID(0)
				if tracks.Before(what) != 0 {
					by = what
				}
				p.add(what, names[state] == "ALLOCATED", by)
			}
		}
		if p.size > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}
