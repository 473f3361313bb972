package finding

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// tracksTo returns tracks that have the ways to the objects. Errors: that of ctx; no memory.
func (h *Heap) tracksTo(ctx context.Context, objects ...[]heap.ObjID) (*heap.Tracks, error) {
	t, err := h.Tracks()
	if err != nil {
		return nil, err
	}
	return t, t.Find(ctx, h.SetOf(objects...))
}
