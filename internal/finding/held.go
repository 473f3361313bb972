package finding

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// tasksHeld finds memory that only the cancelled tasks of a scheduler hold. A
// cancelled task, with all it refers to, stays in the queue of a java.util.Timer or
// a ScheduledThreadPoolExecutor until it is due, unless it is purged.
type tasksHeld struct{}

const (
	// fewCancelled is how many cancelled tasks nobody needs to hear of.
	fewCancelled = 100
	// manyCancelled is how many are worth a finding whatever they hold.
	manyCancelled = 1000
	// worthShare and criticalShare are percentages of the reachable heap.
	worthShare    = 5
	criticalShare = 25
	// lasting is how far off a queue's last task must be for the queue to keep
	// growing: with shorter timeouts it is as long as the traffic of that time.
	lasting = time.Minute
)

// classCount is how many objects of a class there are.
type classCount struct {
	class string
	count int64
}

// loss is what only the cancelled tasks of schedulers alike keep alive.
type loss struct {
	by             *scheduler
	objects, bytes int64
	// class is the class of most of the memory behind the tasks, instances how many
	// of it are kept, and finalizable says whether they have Finalizers.
	class       string
	instances   []heap.ObjID
	finalizable bool
	// others are the other finalizable classes behind the tasks, those of most objects first.
	others []classCount
	// closed is how many of the instances say that they are closed, -1 if their
	// class has no such field.
	closed int64
}

// Detect implements Detector.
func (tasksHeld) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	for _, l := range h.losses {
		path, err := h.pathToLost(ctx, &l)
		if err != nil {
			return nil, err
		}
		f := h.heldFinding(l, int64(h.Tree.Total()))
		f.Evidence.Path = path
		found = append(found, f)
	}
	return found, nil
}

// pathToLost returns the way to most of what is lost. Errors: that of ctx; no memory.
func (h *Heap) pathToLost(ctx context.Context, l *loss) (*Path, error) {
	behind := l.instances
	if len(behind) == 0 {
		behind = l.by.cancelled
	}
	if l.finalizable {
		for _, c := range h.census.classes {
			if c.Class == l.class && c.held == int64(len(behind)) && len(c.Paths) > 0 {
				return &c.Paths[0], nil // to the very same objects
			}
		}
	}
	return h.pathTo(ctx, behind)
}

// readLosses measures what the cancelled tasks keep of those schedulers that deserve a word. Errors: that
// of ctx.
func (h *Heap) readLosses(ctx context.Context) ([]loss, error) {
	var losses []loss
	total := int64(h.Tree.Total())
	for _, s := range h.alike() {
		// Where most tasks are not cancelled, the others must keep much for a word.
		much := func(bytes int64) bool { return bytes >= suspectBytes && bytes*100 >= total*criticalShare }
		if !s.wasteful() && (s.Cancelled < fewCancelled || s.RetainedBytes == nil || !much(*s.RetainedBytes)) {
			continue
		}
		l, err := h.lossBy(ctx, s)
		if err != nil {
			return nil, err
		}
		few := s.Cancelled < manyCancelled && (l.bytes < suspectBytes || l.bytes*100 < total*worthShare)
		if s.wasteful() && few || !s.wasteful() && !much(l.bytes) {
			continue
		}
		losses = append(losses, l)
	}
	return losses, nil
}

// alike returns the schedulers, those of a kind as one whose threads have names alike and whose
// cancelled tasks are of one class: a program may have one for each connection.
func (h *Heap) alike() []*scheduler {
	type key struct{ kind, thread, class string }
	groups := map[key]*scheduler{}
	var all []*scheduler
	for _, s := range h.schedulers {
		k := key{s.Kind, namePattern(s.Thread), s.cancelledClass()}
		g := groups[k]
		if g == nil || k.class == "" {
			groups[k] = s
			all = append(all, s)
			continue
		}
		if g.others == 0 { // not the one that the report lists
			i := slices.Index(all, g)
			g = g.copied()
			groups[k], all[i] = g, g
		}
		g.join(s)
	}
	return all
}

// copied returns a copy to which others can be joined.
func (s *scheduler) copied() *scheduler {
	c := *s
	c.cancelled = slices.Clone(s.cancelled)
	if s.RetainedBytes != nil {
		c.RetainedBytes = new(*s.RetainedBytes)
	}
	return &c
}

// join adds another scheduler's tasks to the sums.
func (s *scheduler) join(t *scheduler) {
	s.others++
	s.Size += t.Size
	s.Cancelled += t.Cancelled
	s.cancelled = append(s.cancelled, t.cancelled...)
	if s.RetainedBytes != nil && t.RetainedBytes != nil {
		*s.RetainedBytes += *t.RetainedBytes
	}
	if t.head.Before(s.head) {
		s.head = t.head
	}
	if t.last.After(s.last) {
		s.last = t.last
	}
}

// wasteful says whether the queue consists of cancelled tasks, and of more than
// nobody needs to hear of.
func (s *scheduler) wasteful() bool { return s.Cancelled >= fewCancelled && 2*s.Cancelled >= s.Size }

// lossBy measures what would go if the scheduler's cancelled tasks went.
func (h *Heap) lossBy(ctx context.Context, s *scheduler) (loss, error) {
	alive, err := h.ReachableWithout(ctx, h.SetOf(s.cancelled))
	if err != nil {
		return loss{}, err
	}
	lost := func(o heap.ObjID) bool { return h.reachable(o) && !alive.Has(o) }
	l := loss{by: s}
	l.objects, l.bytes = h.without(alive)
	// What the tasks refer to, by class: the finalizable ones first, as those are
	// what an operator sees piling up; else what retains most.
	h.finalizableBehind(&l, lost)
	if !l.finalizable {
		payload := map[string][]heap.ObjID{}
		seen := h.NewSet()
		for _, task := range s.cancelled {
			for o := range h.References(task) {
				if lost(o) && h.ClassOf(o) != h.ClassOf(task) && h.Tables[tableTask].Row(o) < 0 && h.Tables[tableFuture].Row(o) < 0 && seen.Add(o) {
					o = h.captured(o)
					name := stableClass(h.Class(o).Name)
					payload[name] = append(payload[name], o)
				}
			}
		}
		l.class, l.instances = most(payload, h.retained)
	}
	l.closed = h.closed(l.instances)
	return l, nil
}

// without counts what is reachable and not among what stays alive.
func (h *Heap) without(alive *heap.Set) (objects, bytes int64) {
	objects, bytes = h.Tree.Size(), int64(h.Tree.Total())
	for o := range alive.All {
		objects--
		bytes -= h.ShallowBytes(o)
	}
	return objects, bytes
}

// finalizableBehind finds what is lost that has a Finalizer: which classes, and the instances of
// that of most.
func (h *Heap) finalizableBehind(l *loss, lost func(heap.ObjID) bool) {
	byClass := make([]int64, len(h.Classes))
	for o := range h.registry.held.All {
		if lost(o) {
			byClass[h.ClassOf(o)]++
		}
	}
	byName := map[string]int64{} // several loaders may have a class of the name
	for class, n := range byClass {
		if n > 0 {
			byName[h.Classes[class].Name] += n
		}
	}
	if len(byName) == 0 {
		return
	}
	for name, n := range byName {
		l.others = append(l.others, classCount{name, n})
	}
	slices.SortFunc(l.others, func(a, b classCount) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.class, b.class))
	})
	l.finalizable, l.class = true, l.others[0].class
	l.instances = make([]heap.ObjID, 0, l.others[0].count)
	l.others = l.others[1:]
	of := make([]bool, len(h.Classes))
	for _, class := range h.ClassesNamed(l.class) {
		of[class] = true
	}
	for o := range h.registry.held.All {
		if of[h.ClassOf(o)] && lost(o) {
			l.instances = append(l.instances, o)
		}
	}
}

// most returns the group that weighs most.
func most(groups map[string][]heap.ObjID, weight func(heap.ObjID) int64) (string, []heap.ObjID) {
	var best string
	var heaviest int64
	for name, objects := range groups {
		var sum int64
		for _, o := range objects {
			sum += weight(o)
		}
		if sum > heaviest || sum == heaviest && name < best {
			best, heaviest = name, sum
		}
	}
	return best, groups[best]
}

// closed counts the objects that say they are closed, -1 if none of them says whether it is.
func (h *Heap) closed(objects []heap.ObjID) int64 {
	known, closed := false, int64(0)
	for _, o := range objects {
		is, says := h.Flag(o)
		known = known || says
		if is {
			closed++
		}
	}
	if !known {
		return -1
	}
	return closed
}
