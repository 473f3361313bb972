package finding

import (
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// httpPools are the connection pools of Apache's HttpClient 4 and 5.
//
// Source: org.apache.http.pool.AbstractConnPool 4.4, org.apache.hc.core5.pool.StrictConnPool 5.2: a
// connection is in the set "leased" until its response was closed or read to the end.
func httpPools() []string {
	return []string{"org.apache.http.pool.AbstractConnPool", "org.apache.hc.core5.pool.StrictConnPool"}
}

// wordLent adds to the verdict on threads that wait how many connections the pool of an HTTP client
// has lent, if that is what they wait for. Errors: that of ctx.
func (h *Heap) wordLent(ctx context.Context, f *Finding, t *thread) error {
	at := t.ownIndex()
	if at < 0 {
		return nil
	}
	locals := t.Locals(at)
	i := slices.IndexFunc(locals, func(l heap.Local) bool {
		return slices.ContainsFunc(httpPools(), func(class string) bool { return h.IsSubclass(h.ClassOf(l.Object), class) })
	})
	if i < 0 {
		return nil
	}
	pool := []heap.ObjID{locals[i].Object}
	lent, err := h.follow(ctx, pool, "leased", "map", "size")
	if err != nil {
		return err
	}
	limit, err := h.follow(ctx, pool, "maxTotal")
	if n := int64(lent[pool[0]]); n > 0 {
		f.Summary += fmt.Sprintf(" They wait for a connection of an HTTP client: %s, it may have %s.",
			unit.Plural(n, "connection is lent", "connections are lent"), unit.Count(int64(limit[pool[0]])))
		f.Advice = "Close each response in a finally block (try-with-resources), whatever its status: until then its connection is lent. Set a time limit for the wait (ConnectionRequestTimeout), and give the executor a queue of bounded size."
	}
	return err
}
