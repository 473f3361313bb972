package finding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// suspects finds what retains most of the heap: objects at which much comes together,
// collections that hold it, and classes whose instances do so together.
type suspects struct{}

const (
	// suspectShare is the percentage of the reachable heap that makes an object or a
	// class a suspect, and collectionShare that which makes a collection one.
	suspectShare    = 10
	collectionShare = 5
	// suspectBytes is the least that is worth a word, however small the heap.
	suspectBytes = 1 << 20
	// heavyShare is the percentage of what an object retains that a child must retain
	// for the way to what matters to go on there (Eclipse MAT: "big drop ratio").
	heavyShare = 70
	// maxBucket is how many entries of a hash map a bucket has as a list; java.util.HashMap
	// makes a tree of more (TREEIFY_THRESHOLD).
	maxBucket = 8
	// maxPeriod is how many objects lie at most from one of a chain to the next of its class.
	maxPeriod = 4
	// maxDescent bounds the way from a GC root's object down to the suspect.
	maxDescent = 64
	// maxSuspects bounds the findings of each kind.
	maxSuspects = 5
)

// suspect is an object that retains much.
type suspect struct {
	object   heap.ObjID
	retained int64
	// above leads from the object under the GC roots down to object, which is its last
	// element: each one dominates the next.
	above []heap.ObjID
	// chained is true where object refers to more of its own class, which retain all.
	chained bool
	// link is the field of a chain's objects that refers to the next one of their class, "" where that is not known.
	link string
	// collection is the collection whose content this is, nil for none.
	collection *collection
	// weak is what was seen of the collection where it is a WeakHashMap, or of the entries of a library's map with weak
	// keys, else nil.
	weak *weakEntries
	// soft says what only SoftReferences hold: "it", "its elements", "them"; "" for nothing.
	soft string
	// references is how many elements that were looked at are Soft- or WeakReferences, and empty how many of these were
	// cleared.
	references, empty int64
	// kept is what the threads are at that are to take tasks from the collection, where all of
	// them wait for ever; else nil.
	kept []errand
	// bound is how much the collection or cache takes at most, 0 for no bound that is known.
	bound int64
	// cached says that bound is that of the library's cache which the collection is a part of.
	cached bool
	// ended is the thread that is to take from the queue and has ended, nil for none that is known.
	ended *heap.ThreadInfo
	// names says in words by which names of tables, queues and such the suspect is known.
	names string
	// tasks is the scheduler whose queue this is, nil for none.
	tasks *scheduler
	// group are objects of one class that retain much together; object is one of them.
	// There are count of them; not all are in group.
	group []heap.ObjID
	count int64
	// below counts what the targets retain, nil where that is too much or they are a group of the program's (Kotlin's are not).
	below *tally
}

// Detect implements Detector.
func (suspects) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	known, found := h.accumulated.collections, h.accumulated.suspects
	all := slices.Concat(found, h.collectionSuspects(known, found), h.groups())
	all = slices.DeleteFunc(all, h.explained)
	var told []Finding
	var outside []heap.ObjID
	if len(all) > 0 {
		outside = h.outsiders()
	}
	p := h.pressure()
	for _, s := range all {
		paths, err := h.pathsTo(ctx, s.targets())
		if err != nil {
			return nil, err
		}
		if s.soft, paths, err = h.lookForSoft(ctx, s, paths); err != nil {
			return nil, err
		}
		if s.collection != nil {
			if s.weak, err = h.lookAtWeak(ctx, s.collection); err != nil {
				return nil, err
			}
			if s.references, s.empty, err = h.lookForEmpty(ctx, s.collection); err != nil {
				return nil, err
			}
		}
		if s.bound, err = h.boundOf(ctx, s); err != nil {
			return nil, err
		}
		if s.retained*100 >= p.liveBytes*suspectShare && throughThreadLocal(paths) && slices.ContainsFunc(s.targets(), h.ofThreadLocal) {
			continue // threadLocals tells of it
		}
		if name := h.Class(s.object).Name; s.group == nil || platform(name) || container(name) || ofKotlin(name) {
			if s.below, err = h.tallyBelow(ctx, s.targets(), s.ofTargets()); err != nil {
				return nil, err
			}
		}
		if s.weak == nil {
			if s.weak, err = h.lookAtWeakBelow(ctx, s); err != nil {
				return nil, err
			}
		}
		if s.link, err = h.linkOf(ctx, s); err != nil {
			return nil, err
		}
		if s.ended, err = h.takerEnded(ctx, s, paths, outside); err != nil {
			return nil, err
		}
		if s.names, err = h.wordNames(ctx, s, paths, outside); err != nil {
			return nil, err
		}
		f := h.suspectFinding(s, p, paths)
		if s.group != nil && ofServer(h.Class(s.object).Name) {
			async, err := h.asyncRequests(ctx)
			if err != nil {
				return nil, err
			}
			async.word(&f, s.count)
		}
		if s.kept != nil {
			if err := h.wordLent(ctx, &f, &s.kept[0].thread); err != nil {
				return nil, err
			}
		}
		told = addAlike(told, f)
	}
	return h.appendInHand(ctx, h.appendClassValues(tellAlike(told), p), p)
}

// accumulated is where much comes together.
type accumulated struct {
	collections map[heap.ObjID]*collection
	suspects    []*suspect
}

// accumulate looks for where much comes together. Errors: that of ctx.
func (h *Heap) accumulate(ctx context.Context) (accumulated, error) {
	collections, err := h.bigCollections(ctx)
	if err != nil {
		return accumulated{}, err
	}
	return accumulated{collections, h.accumulations(collections)}, nil
}

// addAlike adds a finding to the list, to one with the same fingerprint where there is
// one: static fields of a class that several loaders have loaded, for example.
func addAlike(found []Finding, f Finding) []Finding {
	i := slices.IndexFunc(found, func(g Finding) bool { return g.Fingerprint == f.Fingerprint })
	if i < 0 {
		return append(found, f)
	}
	g := &found[i]
	g.Bytes += f.Bytes
	g.Objects += f.Objects
	g.Evidence.Facts = append(g.Evidence.Facts, fact(likeIt, "%s, %s", f.Culprit.Object, unit.Bytes(f.Bytes)))
	return found
}

// likeIt names the fact that there is another one of a finding.
const likeIt = "another one like it"

// tellAlike says in the summaries how many others were added to a finding.
func tellAlike(found []Finding) []Finding {
	for i := range found {
		f, more := &found[i], int64(0)
		for _, x := range f.Evidence.Facts {
			if x.Name == likeIt {
				more++
			}
		}
		if more > 0 {
			f.Summary += fmt.Sprintf(" %s like it; together %s.", unit.Plural(more, "other is", "others are"), unit.Bytes(f.Bytes))
		}
	}
	return found
}

// targets are the objects to show the way to.
func (s *suspect) targets() []heap.ObjID {
	switch {
	case s.group != nil:
		return s.group
	case s.collection != nil:
		return []heap.ObjID{s.collection.object}
	}
	return []heap.ObjID{s.object}
}

// ofTargets is about how much the targets retain.
func (s *suspect) ofTargets() int64 {
	if s.group == nil {
		return s.retained
	}
	return s.retained * int64(len(s.group)) / s.count
}

// top is the object under the GC roots that leads to all of it.
func (s *suspect) top() heap.ObjID {
	if len(s.above) > 0 {
		return s.above[0]
	}
	return s.targets()[0]
}

// accumulations follows each big object under the GC roots down to where what it
// retains comes together.
func (h *Heap) accumulations(known map[heap.ObjID]*collection) []*suspect {
	least := max(int64(h.Tree.Total())*suspectShare/100, suspectBytes)
	var found []*suspect
	for v, retained := range h.Tree.Top {
		if int64(retained) >= least {
			found = append(found, &suspect{object: heap.ObjID(v), retained: int64(retained)})
		}
	}
	slices.SortFunc(found, func(a, b *suspect) int {
		return cmp.Or(cmp.Compare(b.retained, a.retained), cmp.Compare(a.object, b.object))
	})
	found = found[:min(len(found), maxSuspects)]
	// A stack may hold the array of a collection, too, while it grows.
	arrays := map[heap.ObjID]*collection{}
	for _, c := range known {
		if c.array != 0 {
			arrays[c.array] = c
		}
	}
	for _, s := range found {
		h.descend(s)
		for _, o := range slices.Backward(s.above) {
			if c := cmp.Or(known[o], arrays[o]); c != nil {
				s.collection = c
				break
			}
		}
		if s.collection == nil {
			h.climbToContainer(s)
			s.tasks = h.queueOf(s.object)
		}
	}
	return found
}

// climbToContainer goes back up from the parts of a container to the container itself, and from the table of
// one of the JDK's maps to the map.
func (h *Heap) climbToContainer(s *suspect) {
	if n := len(s.above) - 1; n > 0 && h.Class(s.object).Name == h.Class(s.above[n-1]).Name+"$Node[]" {
		s.object, s.retained, s.above = s.above[n-1], h.retained(s.above[n-1]), s.above[:n]
	}
	for i, o := range slices.Backward(s.above) {
		name := h.Class(o).Name
		switch {
		case strings.HasSuffix(name, "[]"), i == len(s.above)-1 && platform(name):
		case container(name):
			s.object, s.retained, s.above, s.chained = o, h.retained(o), s.above[:i+1], false
		default:
			return
		}
	}
}

// descend goes down as long as one child retains nearly all. A chain is itself what comes together,
// unless it is as short as that of a hash map's bucket.
func (h *Heap) descend(s *suspect) {
	s.above = []heap.ObjID{s.object}
	for len(s.above) < maxDescent {
		if s.chained = h.beginsChain(s.object, s.retained); s.chained {
			return
		}
		o, retained := h.heavy(s.object, s.retained)
		if o == 0 {
			return
		}
		s.object, s.retained = o, retained
		s.above = append(s.above, o)
	}
}

// beginsChain says whether an object refers to more of its own class, one behind the other, directly or
// with up to maxPeriod-1 objects of other classes between two, such as the arrays of a linked queue.
func (h *Heap) beginsChain(o heap.ObjID, retained int64) bool {
	var classes []heap.ClassID
	for len(classes) < maxPeriod*maxBucket && o != 0 {
		classes = append(classes, h.ClassOf(o))
		o, retained = h.heavy(o, retained)
	}
	if len(classes) > 1 && o == 0 && slices.Max(classes) == slices.Min(classes) {
		return true // short, and all there is
	}
	for period := 1; period <= maxPeriod && period*maxBucket <= len(classes); period++ {
		repeated := classes[period : period*maxBucket]
		if slices.Equal(repeated, classes[:len(repeated)]) {
			return true
		}
	}
	return false
}

// linkOf returns the field by which the objects of a chain refer directly to the next one, "" for others. Errors: that of
// ctx.
func (h *Heap) linkOf(ctx context.Context, s *suspect) (field string, err error) {
	next, _ := h.heavy(s.object, s.retained)
	if !s.chained || next == 0 || h.ClassOf(next) != h.ClassOf(s.object) {
		return "", nil
	}
	err = h.Read(ctx, []heap.ObjID{s.object}, func(c heap.Content) { field = h.FieldTo(c, next) })
	return field, err
}

// heavy returns the child that retains nearly all of what an object retains, 0 if there is none.
func (h *Heap) heavy(o heap.ObjID, retained int64) (heap.ObjID, int64) {
	child, of := h.Tree.Heavy(uint32(o), uint64(retained), uint64(retained*heavyShare/100))
	return heap.ObjID(child), int64(of)
}

// collectionSuspects are the big collections that no accumulation point has found.
func (h *Heap) collectionSuspects(known map[heap.ObjID]*collection, found []*suspect) []*suspect {
	seen := map[heap.ObjID]bool{}
	for _, s := range found {
		for _, o := range s.above {
			seen[o] = true
		}
	}
	least := max(int64(h.Tree.Total())*collectionShare/100, suspectBytes)
	var more []*suspect
	for _, c := range biggest(known) {
		if seen[c.object] || !h.reachable(c.object) {
			continue
		}
		if retained := h.retained(c.object); retained >= least {
			more = append(more, &suspect{object: c.object, retained: retained, collection: c})
		}
	}
	slices.SortStableFunc(more, func(a, b *suspect) int { return cmp.Compare(b.retained, a.retained) })
	return more[:min(len(more), maxSuspects)]
}

// groupSize is the least number of objects that are a group, and groupSample how many
// of them are looked at, at most, for a way from the GC roots.
const (
	groupSize   = 100
	groupSample = 1000
)

// groups are the classes of objects right under the GC roots that retain much together,
// none of them alone: several holders share each of them.
func (h *Heap) groups() []*suspect {
	total := int64(h.Tree.Total())
	bytes, counts := make([]int64, len(h.Classes)), make([]int64, len(h.Classes))
	for v, retained := range h.Tree.Top {
		if retained := int64(retained); retained*100 < total*suspectShare {
			class := h.ClassOf(heap.ObjID(v))
			bytes[class] += retained
			counts[class]++
		}
	}
	least := max(total*suspectShare/100, suspectBytes)
	chosen := map[heap.ClassID]*suspect{}
	for i, b := range bytes {
		if c := &h.Classes[i]; b >= least && counts[i] >= groupSize && c.Name != "java.lang.Class" && c.Name != finalizerClass {
			chosen[heap.ClassID(i)] = &suspect{retained: b}
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	for i, s := range chosen {
		s.count = counts[i]
	}
	met := make(map[heap.ClassID]int64, len(chosen))
	for v, retained := range h.Tree.Top {
		class := h.ClassOf(heap.ObjID(v))
		s := chosen[class]
		if s == nil || int64(retained)*100 >= total*suspectShare {
			continue
		}
		if met[class]%(s.count/groupSample+1) == 0 { // old ones and new ones alike
			s.object = heap.ObjID(v)
			s.group = append(s.group, heap.ObjID(v))
		}
		met[class]++
	}
	found := slices.Collect(maps.Values(chosen))
	slices.SortFunc(found, func(a, b *suspect) int {
		return cmp.Or(cmp.Compare(b.retained, a.retained), cmp.Compare(a.object, b.object))
	})
	return found[:min(len(found), maxSuspects)]
}

// explained says whether the suspect needs no words: other verdicts cover the queue of a
// scheduler that mostly cancelled tasks fill, the chain of all Finalizers, and threads that hardly retain
// more than what is in their ThreadLocals.
func (h *Heap) explained(s *suspect) bool {
	if s.group != nil && h.IsSubclass(h.ClassOf(s.object), "java.lang.Thread") {
		var local int64
		for _, g := range h.localGroups() {
			if h.tellsOf(g) {
				local += g.retained
			}
		}
		return local*100 >= s.retained*coveredShare
	}
	return h.Class(s.object).Name == finalizerClass || h.NameOf(s.object) == finalizerClass || slices.ContainsFunc(h.schedulers, func(q *scheduler) bool {
		return q.wasteful() && (slices.Contains(s.above, q.array) || s.object == q.owner)
	})
}

// throughThreadLocal says whether a way leads through the map of a thread.
func throughThreadLocal(paths []Path) bool {
	return slices.ContainsFunc(paths, func(p Path) bool {
		return slices.ContainsFunc(p.above(), func(s Step) bool { return s.Class == threadLocalEntry })
	})
}
