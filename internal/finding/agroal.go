package finding

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	agroalPool    = "io.agroal.pool.ConnectionPool"
	agroalHandler = "io.agroal.pool.ConnectionHandler"
	agroalWrapper = "io.agroal.pool.wrapper.ConnectionWrapper"
)

// The columns of tableAgroalHandler and tableAgroalWrapper.
const (
	agroalConnection = 0
	agroalOwner      = 1
	agroalState      = 2
	agroalEnlisted   = 3
	agroalWrapped    = 0
)

// agroalPools returns the pools of Agroal, which Quarkus and WildFly have. What a borrower gets is a wrapper
// around the pool's handler; a transaction keeps the handler until its end, whatever becomes of the wrapper.
// Errors: that of ctx.
//
// Source: Agroal 1.16 to 2.4.
func (h *Heap) agroalPools(ctx context.Context) ([]*connectionPool, error) {
	handlers, wrappers := h.Tables[tableAgroalHandler], h.Tables[tableAgroalWrapper]
	out := map[heap.ObjID]heap.ObjID{} // what borrowers have, by handler
	for row, o := range wrappers.Objects {
		if h.reachable(o) {
			out[wrappers.Ref(row, agroalWrapped)] = o
		}
	}
	states, err := h.enumsOf(ctx, handlers, agroalState)
	if err != nil {
		return nil, err
	}
	pools := poolSet{kind: "Agroal"}
	for row, o := range handlers.Objects {
		pool, connection := handlers.Ref(row, agroalOwner), handlers.Ref(row, agroalConnection)
		if !h.reachable(o) || pool == 0 || connection == 0 || h.Class(pool).Name != agroalPool {
			continue
		}
		by := out[o]
		if handlers.Int(row, agroalEnlisted) != 0 {
			by = cmp.Or(by, o)
		}
		pools.of(pool).add(connection, states[handlers.Ref(row, agroalState)] == "CHECKED_OUT", by)
	}
	limits, err := h.follow(ctx, slices.Collect(maps.Keys(pools.known)), "configuration", "this$0", "maxSize")
	for _, p := range pools.all {
		p.max = int64(int32(limits[p.object]))
	}
	return pools.all, err
}
