package finding

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// tracks returns the one walk that finds the shortest ways from GC roots for all who ask, of whom
// each has it go as far as it needs. One goroutine at a time. Errors: no memory.
func (h *Heap) tracks() (t *heap.Tracks, err error) {
	if h.walk == nil {
		h.walk, err = h.NewTracks(nil)
	}
	return h.walk, err
}

// tracksTo returns tracks that have the ways to the objects. Errors: that of ctx; no memory.
func (h *Heap) tracksTo(ctx context.Context, objects ...[]heap.ObjID) (*heap.Tracks, error) {
	t, err := h.tracks()
	if err != nil {
		return nil, err
	}
	return t, t.Find(ctx, h.SetOf(objects...))
}
