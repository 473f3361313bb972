package heap

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

// stretchObjects is how many objects a core takes at once.
const stretchObjects = 1 << 15

// Stretches has all objects looked at on all cores: it calls worker once for each, and what that
// returns for the objects from, ..., to. Errors: that of ctx.
func (g *Graph) Stretches(ctx context.Context, worker func() func(from, to ObjID)) error {
	n := (g.Objects() + stretchObjects - 1) / stretchObjects
	return each(ctx, n, cores.Workers(), func() func(context.Context, int) error {
		work := worker()
		return func(_ context.Context, i int) error {
			work(ObjID(i*stretchObjects+1), ObjID(min((i+1)*stretchObjects, g.Objects())))
			return nil
		}
	})
}
