package heap

import (
	"context"
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Tracks holds a shortest way from a GC root to each of some objects. It is a walk in breadth that
// goes as far as it is asked to, from lasting roots first: a local of a stack frame is shown as the
// holder only of what nothing else holds.
//
// Memory: up to 4 bytes and a bit an object, and 4 for each object of the widest layer.
type Tracks struct {
	g     *Graph
	from  offheap.Narrow // by ObjID: the object before it, itself for a root, 0 if not met
	met   *Set
	front offheap.Queue[ObjID]
	// begun is how many of lasting and local roots, in this order, the walk has begun from.
	begun int
}

// Tracks returns the one walk from all roots that is kept for all who ask, of whom each has it go
// as far as it needs. One goroutine at a time. Errors: no memory.
func (g *Graph) Tracks() (t *Tracks, err error) {
	if g.tracks == nil {
		g.tracks, err = g.newTracks(nil)
	}
	return g.tracks, err
}

// newTracks returns a walk that has met nothing yet, and never passes an object of barred. As with
// every plan for memory, nobody may write to an array meanwhile. Errors: no memory.
func (g *Graph) newTracks(barred []ObjID) (*Tracks, error) {
	if err := g.planTracks(); err != nil {
		return nil, err
	}
	from, err := offheap.MakeNarrow(g.memory, g.Objects()+1, uint32(g.Objects()))
	if err != nil {
		return nil, err
	}
	t := &Tracks{g: g, from: from, met: g.NewSet()}
	for _, o := range barred {
		t.from.Set(int(o), uint32(o))
		t.met.Add(o)
	}
	return t, nil
}

// TracksAround returns the ways to the targets that pass no object of barred. Errors: that of ctx;
// no memory.
func (g *Graph) TracksAround(ctx context.Context, barred, targets []ObjID) (*Tracks, error) {
	t, err := g.newTracks(barred)
	if err != nil {
		return nil, err
	}
	if err := t.Find(ctx, g.SetOf(targets)); err != nil {
		t.Free()
		return nil, err
	}
	return t, nil
}

// Free gives the memory back.
func (t *Tracks) Free() {
	t.from.Free()
	t.front.Free()
}

// Find walks on until all wanted objects are met that can be. Errors: that of ctx; no memory.
func (t *Tracks) Find(ctx context.Context, wanted *Set) error {
	w := wave{Tracks: t, wanted: wanted, left: wanted.without(t.met)}
	return w.goOn(ctx)
}

// waveAhead is how many objects before its turn an object's references are fetched from memory, and
// twice that, where they are.
const waveAhead = 8

// wave is a part of the walk, up to some objects.
type wave struct {
	*Tracks
	wanted *Set
	left   int // how many of wanted are not met
}

// goOn walks on, from more roots where there is no other way, until all wanted objects are met that
// can be. Errors: that of ctx; no memory.
func (w *wave) goOn(ctx context.Context) error {
	for w.left > 0 {
		if err := w.spread(ctx); err != nil {
			return err
		}
		if w.left == 0 || w.begun == 2 {
			return nil
		}
		if err := w.begin(); err != nil {
			return err
		}
	}
	return nil
}

// begin meets the lasting roots at first, then those that are locals of stack frames. Errors: no
// memory.
func (w *wave) begin() error {
	local := w.begun == 1
	w.begun++
	for r := range w.g.Roots.All() {
		if r.Local() == local {
			if err := w.meet(r.Object, r.Object); err != nil {
				return err
			}
		}
	}
	return nil
}

// meet notes an object and the one before it, if it is new. Errors: no memory.
func (w *wave) meet(o, before ObjID) error {
	if !w.met.Add(o) {
		return nil
	}
	w.from.Set(int(o), uint32(before))
	if w.wanted.Has(o) {
		w.left--
	}
	return w.front.Push(w.g.memory, o)
}

// spread walks on from what is met until all wanted objects are. Errors: that of ctx; no memory.
func (w *wave) spread(ctx context.Context) error {
	edges := w.g.edges
	for n := 1; w.left > 0; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err() // all that is met can still be gone on from
		}
		o, ok := w.front.Pop()
		if !ok {
			break
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
