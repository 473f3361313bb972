package finding

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// maxSteps bounds the length of a class-level path; what lies beyond merges into
// its last step.
const maxSteps = 48

// trail is a node of the trie of class-level paths from GC roots.
type trail struct {
	parent int32 // index in merger.trails, 0 for the root of the trie
	class  heap.ClassID
	depth  int32
	object heap.ObjID // the one object here, 0 when there are several
	repeat int32      // the longest run of objects of this class in a row
	// next is the trail that was last gone to from here, 0 for none: mostly that of the next way.
	next int32
}

// merger merges the ways to many objects by the classes they pass. Of a way that others have gone
// before few objects are looked at, however long it is.
type merger struct {
	h      *Heap
	tracks *heap.Tracks
	trails []trail
	child  map[[2]uint32]int32 // parent, class -> trail
	// known are objects on ways that were gone, each knownEvery-th of a long one, and recent those
	// that were last passed, by their last bits.
	known  map[heap.ObjID]reached
	recent *[recentWays]passed
	todo   []heap.ObjID
	last   sibling
	groups map[int32]*group // by trail
}

const (
	// knownEvery is so many objects that to know each on millions of short ways does not cost a
	// map of them, and so few that to go from one to the next costs little.
	knownEvery = 16
	recentWays = 1 << 12
)

// sibling is an object that a way ended at. Of many in a row the next one is often held by the
// same object, and of the same class.
type sibling struct {
	before heap.ObjID // 0 where no other one can be like it
	class  heap.ClassID
	group  *group
}

// reached says where a way has come to: a trail, and how many objects of its class
// in a row end there.
type reached struct{ trail, run int32 }

// passed is an object on a way, 0 for none.
type passed struct {
	object heap.ObjID
	at     reached
}

// trailOf returns the trail of o.
func (m *merger) trailOf(o heap.ObjID) int32 {
	m.todo = m.todo[:0]
	var at reached
	for p := range m.tracks.Back(o) {
		if r := &m.recent[p%recentWays]; r.object == p {
			at = r.at
			break
		}
		if len(m.known) > 0 {
			if k, ok := m.known[p]; ok {
				at = k
				break
			}
		}
		m.todo = append(m.todo, p)
	}
	for i, p := range slices.Backward(m.todo) {
		at.trail, at.run = m.step(at.trail, at.run, p)
		if i == 0 {
			break // the objects themselves are many, and seldom lead to each other
		}
		m.recent[p%recentWays] = passed{p, at}
		if i%knownEvery == 0 {
			m.known[p] = at
		}
	}
	return at.trail
}

// step returns the trail of an object behind the trail at.
func (m *merger) step(at, run int32, o heap.ObjID) (int32, int32) {
	class := m.h.ClassOf(o)
	if at != 0 && (m.trails[at].class == class || m.trails[at].depth == maxSteps) {
		t := &m.trails[at]
		run++
		t.repeat = max(t.repeat, run)
		if t.object != o {
			t.object = 0
		}
		return at, run
	}
	next := m.trails[at].next
	if next == 0 || m.trails[next].class != class {
		next = m.below(at, class, o)
		m.trails[at].next = next
	}
	if t := &m.trails[next]; t.object != o {
		t.object = 0
	}
	return next, 1
}

// below returns the trail of a class behind the trail at, a new one, which begins with o, where
// there is none.
func (m *merger) below(at int32, class heap.ClassID, o heap.ObjID) int32 {
	key := [2]uint32{uint32(at), uint32(class)}
	next, ok := m.child[key]
	if !ok {
		next = int32(len(m.trails))
		m.child[key] = next
		m.trails = append(m.trails, trail{parent: at, class: class, depth: m.trails[at].depth + 1, object: o, repeat: 1})
	}
	return next
}

// group is what ends at one trail.
type group struct {
	trail   int32
	objects int64
	bytes   int64
	example heap.ObjID
}

// mergePaths merges the shortest ways from GC roots to the objects by class and
// returns the most frequented ones. Errors: that of ctx.
func (h *Heap) mergePaths(ctx context.Context, tracks *heap.Tracks, objects []heap.ObjID, limit int) ([]Path, error) {
	m := newMerger(h, tracks)
	for _, o := range objects {
		m.add(o)
	}
	return m.paths(ctx, limit)
}

func newMerger(h *Heap, tracks *heap.Tracks) *merger {
	return &merger{h: h, tracks: tracks, trails: make([]trail, 1), child: map[[2]uint32]int32{},
		known: map[heap.ObjID]reached{}, recent: new([recentWays]passed), groups: map[int32]*group{}}
}

// add merges the way to an object with the others.
func (m *merger) add(o heap.ObjID) {
	before, class := m.tracks.Before(o), m.h.ClassOf(o)
	if s := &m.last; before == 0 || before != s.before || class != s.class {
		*s = sibling{before, class, m.groupOf(o)}
		if before == o {
			s.before = 0 // a root's children are one step further
		}
	} else if t := &m.trails[s.group.trail]; t.object != o {
		t.object = 0
	}
	m.last.group.objects++
	m.last.group.bytes += m.h.ShallowBytes(o)
}

// groupOf returns the group that the way to o ends in.
func (m *merger) groupOf(o heap.ObjID) *group {
	t := m.trailOf(o)
	g := m.groups[t]
	if g == nil {
		g = &group{trail: t, example: o}
		m.groups[t] = g
	}
	return g
}

// paths returns the most frequented ways; objects that no GC root reaches have none. Errors: that
// of ctx.
func (m *merger) paths(ctx context.Context, limit int) ([]Path, error) {
	delete(m.groups, 0)
	sorted := slices.SortedFunc(maps.Values(m.groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.objects, a.objects), cmp.Compare(a.example, b.example))
	})
	sorted = sorted[:min(limit, len(sorted))]
	ways := make([]way, len(sorted))
	for i, g := range sorted {
		ways[i] = m.way(g)
	}
	fields, err := m.fieldsOn(ctx, ways)
	if err != nil {
		return nil, err
	}
	paths := make([]Path, len(sorted))
	for i, w := range ways {
		paths[i] = m.path(w, fields)
	}
	return paths, nil
}

// way is the way of a group's example.
type way struct {
	*group
	root   heap.ObjID
	trails []int32 // from the root on
	// refers are the references from one trail to the next.
	refers []reference
}

// reference is one of an object to another.
type reference struct{ from, to heap.ObjID }

// way looks up the way of a group's example.
func (m *merger) way(g *group) way {
	w := way{group: g}
	for t := g.trail; t != 0; t = m.trails[t].parent {
		w.trails = append(w.trails, t)
	}
	slices.Reverse(w.trails)
	// first and last are the example's objects of a trail.
	first, last := map[int32]heap.ObjID{}, map[int32]heap.ObjID{}
	for o := range m.tracks.Back(g.example) {
		t := g.trail
		if o != g.example {
			t = m.trailOf(o)
		}
		if _, ok := last[t]; !ok {
			last[t] = o
		}
		first[t] = o
		w.root = o
	}
	for i, t := range w.trails[:len(w.trails)-1] {
		w.refers = append(w.refers, reference{last[t], first[w.trails[i+1]]})
	}
	return w
}

// fieldsOn returns the fields that the references of some ways are of, "" of those of a class object.
// Errors: that of ctx.
func (m *merger) fieldsOn(ctx context.Context, ways []way) (map[reference]string, error) {
	fields := map[reference]string{}
	targets := map[heap.ObjID][]heap.ObjID{}
	for _, w := range ways {
		for _, r := range w.refers {
			if _, ok := fields[r]; !ok {
				fields[r] = ""
				targets[r.from] = append(targets[r.from], r.to)
			}
		}
	}
	err := m.h.Read(ctx, slices.Collect(maps.Keys(targets)), func(c heap.Content) {
		for _, to := range targets[c.Object] {
			fields[reference{c.Object, to}] = m.h.FieldTo(c, to)
		}
	})
	return fields, err
}

// path describes a way.
func (m *merger) path(w way, fields map[reference]string) Path {
	h := m.h
	p := Path{Objects: w.objects, Bytes: w.bytes, Steps: make([]Step, len(w.trails))}
	p.Root, p.Thread, p.Frame = h.rootOf(w.root)
	for i, t := range w.trails {
		k := m.trails[t]
		s := Step{Class: h.Classes[k.class].Name}
		if k.object != 0 {
			s.Object = address(h.Address(k.object))
		}
		if k.repeat > 1 {
			s.Repeat = int(k.repeat)
		}
		if i < len(w.refers) {
			r := w.refers[i]
			if s.Field = fields[r]; s.Field == "" {
				s.Class, s.Field = h.describeClassObject(r.from, r.to, s.Class)
			}
		}
		p.Steps[i] = s
	}
	return p
}

// objectOf returns the object of a step, 0 where that are several or it is a class object.
func (h *Heap) objectOf(s Step) heap.ObjID {
	at, err := strconv.ParseUint(s.Object, 0, 64)
	if err != nil || h.ClassAt(at) != heap.NoClass {
		return 0
	}
	return h.Object(at)
}

// describeClassObject names a step that is a class object: the class it stands
// for and the static field that refers to target. Other steps keep their name.
func (h *Heap) describeClassObject(o, target heap.ObjID, name string) (class, field string) {
	c := h.ClassAt(h.Address(o))
	if c == heap.NoClass {
		return name, ""
	}
	for _, s := range h.Classes[c].Statics {
		if s.Type == hprof.TypeObject && h.Object(s.Value) == target {
			return "class " + h.Classes[c].Name, s.Name
		}
	}
	return "class " + h.Classes[c].Name, ""
}

// rootEntry returns an object's entry in the list of GC roots that fits: one that lasts, as that of a
// running thread, before a local of a stack, as that of who waits for the thread to end.
func (h *Heap) rootEntry(o heap.ObjID, fits func(heap.Root) bool) (heap.Root, bool) {
	root, ok := h.Roots.First(func(r heap.Root) bool { return r.Object == o && !r.Local() && fits(r) })
	if !ok {
		root, ok = h.Roots.First(func(r heap.Root) bool { return r.Object == o && fits(r) })
	}
	return root, ok
}

// rootOf says what kind of GC root the object is, whose, and in which call: the innermost one of
// the stack that refers to it and is not the JDK's, or else the one that called the JDK.
func (h *Heap) rootOf(o heap.ObjID) (kind, thread, frame string) {
	root, ok := h.rootEntry(o, func(heap.Root) bool { return true })
	if !ok {
		return "", "", ""
	}
	kind = root.Kind.RootName()
	if root.Thread == 0 {
		return kind, "", ""
	}
	for _, t := range h.Threads {
		if t.Serial != root.Thread {
			continue
		}
		s := h.Stack(t)
		thread = h.threadName(s.Object)
		at := 0
		for at < len(s.Frames) && !refersTo(s.Locals(at), o) {
			at++
		}
		if at == len(s.Frames) {
			break
		}
		caller := at + slices.IndexFunc(s.Frames[at:], func(f heap.Frame) bool { return !platform(f.Class) })
		f := s.Frames[max(at, caller)]
		return kind, thread, f.Class + "." + f.Method
	}
	return kind, thread, ""
}
