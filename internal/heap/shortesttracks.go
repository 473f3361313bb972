package heap

import (
	"context"
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Tracks holds a shortest way from a GC root to each of some objects.
type Tracks struct {
	g    *Graph
	from offheap.Narrow // by ObjID: the object before it, itself for a root, 0 if not met
}

// Free gives the memory back.
func (t *Tracks) Free() { t.from.Free() }

// ShortestTracks walks the graph breadth first until it has met all targets, from
// lasting roots first: a local of a stack frame is shown as the holder only of what
// nothing else holds. Memory: up to 4 bytes an object, and 4 for each object of the
// widest layer while it runs. Errors: that of ctx; no memory.
func (g *Graph) ShortestTracks(ctx context.Context, targets ...[]ObjID) (*Tracks, error) {
	return g.TracksAround(ctx, nil, targets...)
}

// TracksAround is ShortestTracks without the ways through the objects of barred.
func (g *Graph) TracksAround(ctx context.Context, barred []ObjID, targets ...[]ObjID) (*Tracks, error) {
	wanted := g.NewSet()
	for _, some := range targets {
		for _, o := range some {
			wanted.Add(o)
		}
	}
	t, err := g.NewTracks()
	if err != nil {
		return nil, err
	}
	if err := t.Find(ctx, barred, wanted); err != nil {
		t.Free()
		return nil, err
	}
	return t, nil
}

// NewTracks returns room for tracks, which Find fills. As with every plan for memory, nothing
// else may be at work meanwhile. Errors: no memory.
func (g *Graph) NewTracks() (*Tracks, error) {
	if err := g.planTracks(); err != nil {
		return nil, err
	}
	from, err := offheap.MakeNarrow(g.memory, g.Objects()+1, uint32(g.Objects()))
	return &Tracks{g, from}, err
}

// Find finds the ways to all wanted objects, once, see TracksAround. Errors: that of ctx; no
// memory.
func (t *Tracks) Find(ctx context.Context, barred []ObjID, wanted *Set) error {
	w := wave{t: t, met: t.g.NewSet(), wanted: wanted, left: wanted.Len()}
	defer w.front.Free()
	for _, o := range barred {
		t.from.Set(int(o), uint32(o))
		w.met.Add(o)
	}
	for _, local := range []bool{false, true} {
		if err := w.spread(ctx, local); err != nil {
			return err
		}
	}
	return nil
}

// waveAhead is how many objects before its turn an object's references are fetched from memory, and
// twice that, where they are.
const waveAhead = 8

// wave is a walk in breadth.
type wave struct {
	t           *Tracks
	met, wanted *Set
	left        int // how many of wanted are not met
	front       offheap.Queue[ObjID]
}

// meet notes an object and the one before it, if it is new. Errors: no memory.
func (w *wave) meet(o, before ObjID) error {
	if !w.met.Add(o) {
		return nil
	}
	w.t.from.Set(int(o), uint32(before))
	if w.wanted.Has(o) {
		w.left--
	}
	return w.front.Push(w.t.g.memory, o)
}

// spread walks from the roots that are locals of stack frames, or from the others,
// until all wanted objects are met.
func (w *wave) spread(ctx context.Context, local bool) error {
	for _, r := range w.t.g.Roots {
		if r.Local() == local {
			if err := w.meet(r.Object, r.Object); err != nil {
				return err
			}
		}
	}
	edges := w.t.g.edges
	for n := 1; w.left > 0; n++ {
		o, ok := w.front.Pop()
		if !ok {
			break
		}
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if v, ok := w.front.Peek(2 * waveAhead); ok {
			edges.Prefetch(uint32(v))
		}
		if v, ok := w.front.Peek(waveAhead); ok {
			edges.PrefetchRun(uint32(v))
		}
		run := edges.From(uint32(o))
		for v, ok := edges.Next(&run); ok; v, ok = edges.Next(&run) {
			if err := w.meet(ObjID(v), o); err != nil {
				return err
			}
		}
	}
	return nil
}

// Local says whether the root is a local of a stack frame.
func (r Root) Local() bool {
	return r.Kind == hprof.SubRootJavaFrame || r.Kind == hprof.SubRootJNILocal || r.Kind == hprof.SubRootNativeStack
}

// Before returns the object before o on its way, o itself if that is a root, 0 if it was not
// met.
func (t *Tracks) Before(o ObjID) ObjID { return ObjID(t.from.At(int(o))) }

// Back yields o, the object before it, and so on to a root; nothing for an
// object that was not met.
func (t *Tracks) Back(o ObjID) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		for o != 0 {
			before := t.Before(o)
			if before == 0 || !yield(o) || before == o {
				return
			}
			o = before
		}
	}
}
