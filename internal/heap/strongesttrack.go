package heap

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Track is a way from a GC root to an object.
type Track struct {
	// Objects lead from the root to the object, both included; none where no root
	// reaches it.
	Objects []ObjID
	// Strength is that of the weakest reference on the way.
	Strength Strength
}

// StrongestTrack returns a way from a GC root to the object with the strongest
// references there are, and one with the fewest steps among those from lasting roots;
// locals of stack frames are roots only of what nothing else holds. referents is the
// table of ReferentWatch. Whether the graph has weak references as edges makes no
// difference. Memory while it runs: 4 bytes and a bit an object, 8 for each of the widest layer.
// Errors: that of ctx; no memory.
func (g *Graph) StrongestTrack(ctx context.Context, target ObjID, referents *Table) (Track, error) {
	if err := g.planTracks(); err != nil {
		return Track{}, err
	}
	from, err := offheap.Make[ObjID](g.memory, g.Objects()+1)
	if err != nil {
		return Track{}, err
	}
	defer from.Free()
	w := &trackWalk{g: g, target: target, referents: referents, strengths: g.strengths(), from: from.Items}
	if err := w.findHeldTwice(ctx); err != nil {
		return Track{}, err
	}
	for s := Strong; s < Unreachable; s++ {
		if s == Strong {
			err = w.roots(ctx)
		} else {
			err = w.weaker(ctx, s)
		}
		if err != nil {
			return Track{}, err
		}
		if w.from[target] != 0 {
			return Track{w.back(), s}, nil
		}
	}
	return Track{Strength: Unreachable}, nil
}

// trackWalk is a walk from the roots, breadth first, that meets what is held strongly,
// then what is held softly, and so on.
type trackWalk struct {
	g         *Graph
	target    ObjID
	referents *Table
	strengths []Strength // by ClassID
	twice     *Set       // the reference objects that another field of theirs leads to their referent

	from     []ObjID              // by ObjID: the object before it, itself for a root, 0 if not met
	layer    []ObjID              // met, to be looked into
	deferred [Unreachable][]ObjID // reference objects whose referent has to wait
}

func (w *trackWalk) meet(o, before ObjID) {
	if o != 0 && w.from[o] == 0 {
		w.from[o] = before
		w.layer = append(w.layer, o)
	}
}

// roots walks over what is held strongly.
func (w *trackWalk) roots(ctx context.Context) error {
	for _, local := range []bool{false, true} {
		for r := range w.g.Roots.All() {
			if r.Local() == local {
				w.meet(r.Object, r.Object)
			}
		}
		if err := w.walk(ctx, Strong); err != nil {
			return err
		}
	}
	return nil
}

// weaker walks on through the references of strength s that were left out so far.
func (w *trackWalk) weaker(ctx context.Context, s Strength) error {
	for _, reference := range w.deferred[s] {
		w.meet(w.referent(reference), reference)
	}
	return w.walk(ctx, s)
}

// referent returns what a reference object refers to.
func (w *trackWalk) referent(reference ObjID) ObjID {
	if row := w.referents.Row(reference); row >= 0 {
		return w.referents.Ref(row, 0)
	}
	return 0
}

// walk goes on, layer by layer, until the target is met or nothing is left.
func (w *trackWalk) walk(ctx context.Context, s Strength) error {
	var layer []ObjID
	for len(w.layer) > 0 && w.from[w.target] == 0 {
		layer, w.layer = w.layer, layer[:0]
		for i, o := range layer {
			if i%checkEvery == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			w.lookInto(o, s)
		}
	}
	w.layer = w.layer[:0]
	return nil
}

// lookInto meets what o refers to.
func (w *trackWalk) lookInto(o ObjID, s Strength) {
	var referent ObjID
	if own := w.strengths[w.g.ClassOf(o)]; own != Strong {
		referent = w.referent(o)
		if own > s {
			w.deferred[own] = append(w.deferred[own], o)
		} else {
			w.meet(referent, o)
		}
	}
	run := w.g.edges.From(uint32(o))
	for v, ok := w.g.edges.Next(&run); ok; v, ok = w.g.edges.Next(&run) {
		if ObjID(v) != referent || w.twice.Has(o) {
			w.meet(ObjID(v), o)
		}
	}
}

// findHeldTwice looks for reference objects that refer to their referent with another field as well, such
// as the entry of a WeakHashMap whose value is its key. Errors: that of ctx.
func (w *trackWalk) findHeldTwice(ctx context.Context) error {
	w.twice = w.g.NewSet()
	own := make([]bool, len(w.g.Classes)) // has references that Reference has not
	for i := range own {
		if w.strengths[i] != Strong {
			own[i] = slices.ContainsFunc(w.g.refFields(ClassID(i), Weak), func(f refField) bool { return f.link.Declaring != referenceClass })
		}
	}
	var may []ObjID
	for row, o := range w.referents.Objects {
		if referent := w.referents.Ref(row, 0); referent != 0 && own[w.g.ClassOf(o)] && w.g.refersTo(o, referent) {
			may = append(may, o)
		}
	}
	return w.g.Read(ctx, may, func(c Content) {
		referent := w.g.Address(w.referent(c.Object))
		for f := range w.g.FieldValues(c) {
			if f.Value == referent && f.Field.Type == hprof.TypeObject && f.Class.Name != referenceClass {
				w.twice.Add(c.Object)
			}
		}
	})
}

// refersTo says whether an object has an edge to another one.
func (g *Graph) refersTo(o, target ObjID) bool {
	for v := range g.References(o) {
		if v == target {
			return true
		}
	}
	return false
}

// back returns the way to the target.
func (w *trackWalk) back() []ObjID {
	track := []ObjID{w.target}
	for o := w.target; w.from[o] != o; {
		o = w.from[o]
		track = append(track, o)
	}
	slices.Reverse(track)
	return track
}
