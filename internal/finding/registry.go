package finding

import (
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// registry has all Finalizers, counted by what became of them: there may be millions, which
// nearly every question is about.
type registry struct {
	states  finalizerStates
	classes []referentCount // by the ClassID of the referent
	// absent are those without a referent in the dump.
	absent fates
	held   *heap.Set // the referents of those that nothing has happened to
}

// fates counts Finalizers by state, and by whether no GC root, or one, reaches the referent.
type fates [done + 1][2]int64

// referentCount counts the Finalizers whose referents are of one class.
type referentCount struct {
	fates
	shallowBytes int64 // of the referents
}

// fate says of Finalizers in a state, whose referent is reachable or not, whether they are
// wanted.
type fate func(s state, reachable bool) bool

// in returns the fate of being in a state.
func in(wanted state) fate { return func(s state, _ bool) bool { return s == wanted } }

// anyFate is that of all.
func anyFate(state, bool) bool { return true }

// registeredHeld is the fate of those that nothing has happened to.
func registeredHeld(s state, reachable bool) bool { return s == registered && reachable }

// of returns how many have a fate.
func (c *fates) of(f fate) (n int64) {
	for s := range c {
		for reachable, k := range c[s] {
			if f(state(s), reachable == 1) {
				n += k
			}
		}
	}
	return n
}

// addTo adds them to what a report says.
func (c *fates) addTo(states *States) {
	for s := range c {
		states.add(state(s), false, c[s][0])
		states.add(state(s), true, c[s][1])
	}
}

// join adds what was counted elsewhere.
func (c *fates) join(other *fates) {
	for s := range c {
		for i := range c[s] {
			c[s][i] += other[s][i]
		}
	}
}

// newRegistry counts the Finalizers, on all cores.
func newRegistry(h *Heap) *registry {
	r := &registry{states: newFinalizerStates(h.Graph), classes: make([]referentCount, len(h.Classes)), held: h.NewSet()}
	n, parts := r.states.table.Len(), cores.Workers()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for k := range parts {
		wg.Go(func() {
			part := registry{states: r.states, classes: make([]referentCount, len(h.Classes)), held: r.held}
			part.count(h, n*k/parts, n*(k+1)/parts)
			mu.Lock()
			defer mu.Unlock()
			r.join(&part)
		})
	}
	wg.Wait()
	return r
}

// count counts the Finalizers of rows from, ..., to-1.
func (r *registry) count(h *Heap, from, to int) {
	for row := from; row < to; row++ {
		s, referent := r.states.of(row)
		if referent == 0 {
			r.absent[s][0]++
			continue
		}
		c, reachable := &r.classes[h.ClassOf(referent)], 0
		if h.reachable(referent) {
			reachable = 1
		}
		c.fates[s][reachable]++
		if registeredHeld(s, reachable == 1) {
			r.held.AddAmong(referent)
		}
		c.shallowBytes += h.ShallowBytes(referent)
	}
}

func (r *registry) join(part *registry) {
	r.absent.join(&part.absent)
	for i := range r.classes {
		r.classes[i].join(&part.classes[i].fates)
		r.classes[i].shallowBytes += part.classes[i].shallowBytes
	}
}

// total returns how many Finalizers have a fate, whether the dump has their referents or not.
func (r *registry) total(f fate) int64 {
	n := r.absent.of(f)
	for i := range r.classes {
		n += r.classes[i].of(f)
	}
	return n
}

// byName counts those with a fate by the class of their referents.
func (r *registry) byName(h *Heap, f fate) map[string]int64 {
	counts := map[string]int64{}
	for i := range r.classes {
		if n := r.classes[i].of(f); n > 0 {
			counts[h.Classes[i].Name] += n
		}
	}
	return counts
}

// referents returns the referents of those with a fate.
func (r *registry) referents(h *Heap, f fate) []heap.ObjID {
	n := r.total(f) - r.absent.of(f)
	if n == 0 {
		return nil
	}
	all := make([]heap.ObjID, 0, n)
	for s, referent := range r.each {
		if f(s, h.reachable(referent)) {
			all = append(all, referent)
		}
	}
	return all
}

// instances returns the referents of the classes.
func (r *registry) instances(h *Heap, classes []heap.ClassID) (all []heap.ObjID) {
	if !slices.ContainsFunc(classes, func(c heap.ClassID) bool { return r.classes[c].of(anyFate) > 0 }) {
		return nil
	}
	for _, referent := range r.each {
		if slices.Contains(classes, h.ClassOf(referent)) {
			all = append(all, referent)
		}
	}
	return all
}

// each yields the Finalizers that have a referent in the dump: their state, and it.
func (r *registry) each(yield func(s state, referent heap.ObjID) bool) {
	for row := range r.states.table.Len() {
		if s, referent := r.states.of(row); referent != 0 && !yield(s, referent) {
			return
		}
	}
}
