package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// tracksTo returns tracks that have the ways to the objects. Errors: that of ctx; no memory.
func (h *Heap) tracksTo(ctx context.Context, objects []heap.ObjID) (*heap.Tracks, error) {
	t, err := h.Tracks()
	if err != nil {
		return nil, err
	}
	return t, t.Find(ctx, h.SetOf(objects))
}

// pathsTo returns the way from a GC root to most of the objects, nothing if there is none. Errors:
// that of ctx; no memory.
func (h *Heap) pathsTo(ctx context.Context, objects []heap.ObjID) ([]Path, error) {
	tracks, err := h.tracksTo(ctx, objects)
	if err != nil {
		return nil, err
	}
	return h.mergePaths(ctx, tracks, objects, 1)
}

// pathTo is pathsTo for the one path, nil if there is none.
func (h *Heap) pathTo(ctx context.Context, objects []heap.ObjID) (*Path, error) {
	paths, err := h.pathsTo(ctx, objects)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	return &paths[0], nil
}

// pathsAlong merges the ways to those of the objects that tracks lead to, and returns the most frequented ones, limit
// at most. Errors: that of ctx.
func (h *Heap) pathsAlong(ctx context.Context, tracks *heap.Tracks, objects []heap.ObjID, limit int) ([]Path, error) {
	met := slices.DeleteFunc(slices.Clone(objects), func(o heap.ObjID) bool { return tracks.Before(o) == 0 })
	return h.mergePaths(ctx, tracks, met, limit)
}
