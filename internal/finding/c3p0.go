package finding

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	c3p0Pool       = "com.mchange.v2.resourcepool.BasicResourcePool"
	c3p0Connection = "com.mchange.v2.c3p0.impl.NewPooledConnection"
)

// The columns of tableC3P0 and tableC3P0Connection.
const (
	c3p0Managed  = 0
	c3p0Max      = 1
	c3p0Physical = 0
	c3p0Proxy    = 1
)

// c3p0Pools returns the pools of c3p0. What a borrower gets is a proxy, which the pool's
// connection knows too until it is closed. Errors: that of ctx.
//
// Source: c3p0 0.9.5 to 0.10.
func (h *Heap) c3p0Pools(ctx context.Context) ([]*connectionPool, error) {
	pools, connections := h.Tables[tableC3P0], h.Tables[tableC3P0Connection]
	if pools.Len() == 0 {
		return nil, nil
	}
	var proxies []heap.ObjID
	for row := range connections.Len() {
		if o := connections.Ref(row, c3p0Proxy); o != 0 {
			proxies = append(proxies, o)
		}
	}
	tracks, err := h.TracksAround(ctx, connections.Objects, proxies)
	if err != nil {
		return nil, err
	}
	defer tracks.Free()
	var all []*connectionPool
	for row, o := range pools.Objects {
		p := &connectionPool{object: o, kind: "c3p0", max: pools.Int(row, c3p0Max)}
		for _, c := range h.queued(pools.Ref(row, c3p0Managed), connections) {
			r := connections.Row(c)
			physical, proxy, by := connections.Ref(r, c3p0Physical), connections.Ref(r, c3p0Proxy), heap.ObjID(0)
			if physical == 0 {
				continue
			}
			if tracks.Before(proxy) != 0 {
				by = proxy
			}
			p.add(physical, proxy != 0, by)
		}
		if p.size > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}
