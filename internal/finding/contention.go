package finding

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// contended finds threads that wait for each other for ever, and many that wait for one lock.
type contended struct{}

const (
	// waitingStanding is how many threads that wait for one lock are worth a remark while
	// its owner waits itself, reads or writes, and waitingRunning while its owner runs.
	waitingStanding = 4
	waitingRunning  = 10
	// waitingEver is the same for one whose owner has ended: they never go on.
	waitingEver = 2
	// waitingMany is how many more threads make a deadlock critical.
	waitingMany = 10
	// maxContended bounds the findings of each of the two kinds.
	maxContended = 3
)

// Detect implements Detector.
func (contended) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	dead := h.deadlocked()
	var found []Finding
	for _, d := range h.circles(dead) {
		f, err := h.deadlockFinding(ctx, d)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	for _, c := range h.convoys(dead) {
		f, err := h.convoyFinding(ctx, c)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

// deadlocked returns the threads that can't ever go on, whoever of those in question has
// the locks: each waits, without a limit of time, for threads that are in this set themselves.
func (h *Heap) deadlocked() map[heap.ObjID]bool {
	dead, waiting := map[heap.ObjID]bool{}, map[heap.ObjID][]heap.ObjID{} // waiting by owner
	for t, l := range h.links {
		for _, o := range l.owners {
			waiting[o] = append(waiting[o], t)
		}
		if len(l.owners) > 0 && l.proof != proofClass && (l.proof == proofCarrier || h.stateOf(t).stuck()) {
			dead[t] = true
		}
	}
	free := []heap.ObjID{}
	for o := range waiting {
		if !dead[o] {
			free = append(free, o)
		}
	}
	for len(free) > 0 {
		o := free[len(free)-1]
		free = free[:len(free)-1]
		for _, t := range waiting[o] {
			if dead[t] {
				delete(dead, t)
				free = append(free, t)
			}
		}
	}
	return dead
}

// stateOf returns a thread without its stack.
func (h *Heap) stateOf(t heap.ObjID) *thread { return &thread{ThreadInfo: h.threadInfos[t]} }

// deadlock are threads that wait for each other.
type deadlock struct {
	circle []heap.ObjID // each waits for the next one, the last for the first
	behind []heap.ObjID // others that wait for one of these
}

// circles returns the deadlocks among these threads, the one with most threads first. Those of
// the Finalizer thread are left out: they are a finding of their own.
func (h *Heap) circles(dead map[heap.ObjID]bool) []*deadlock {
	of := map[heap.ObjID]*deadlock{}
	var all []*deadlock
	for _, t := range slices.Sorted(maps.Keys(dead)) {
		var way []heap.ObjID
		met, at := map[heap.ObjID]bool{}, t
		for ; of[at] == nil && !met[at]; at = h.links[at].owners[0] {
			met[at] = true
			way = append(way, at)
		}
		d := of[at]
		if d == nil {
			i := slices.Index(way, at)
			d = &deadlock{circle: slices.Clone(way[i:])}
			way = way[:i]
			all = append(all, d)
			for _, c := range d.circle {
				of[c] = d
			}
		}
		for _, b := range way {
			of[b] = d
		}
		d.behind = append(d.behind, way...)
	}
	all = slices.DeleteFunc(all, func(d *deadlock) bool {
		return slices.ContainsFunc(h.errands, func(e errand) bool { return e.service == finalizing && slices.Contains(d.circle, e.Object) })
	})
	slices.SortStableFunc(all, func(a, b *deadlock) int {
		return cmp.Compare(len(b.circle)+len(b.behind), len(a.circle)+len(a.behind))
	})
	return all[:min(len(all), maxContended)]
}

// convoy are threads that wait for one lock, or for one whose owner waits for that one.
type convoy struct {
	lock    heap.ObjID
	first   heap.ObjID // one that waits for the lock itself
	waiting []heap.ObjID
}

// convoys returns the locks that many threads wait for, those with most first, deadlocks
// left out.
func (h *Heap) convoys(dead map[heap.ObjID]bool) []*convoy {
	byLock := map[heap.ObjID]*convoy{}
	for _, t := range slices.Sorted(maps.Keys(h.links)) {
		last, ok := h.lastLink(t)
		if dead[t] || !ok {
			continue
		}
		l := h.links[last]
		c := byLock[l.lock]
		if c == nil {
			c = &convoy{lock: l.lock, first: last}
			byLock[l.lock] = c
		}
		c.waiting = append(c.waiting, t)
	}
	all := slices.DeleteFunc(slices.Collect(maps.Values(byLock)), func(c *convoy) bool { return len(c.waiting) < h.manyFor(c) })
	slices.SortFunc(all, func(a, b *convoy) int {
		return cmp.Or(cmp.Compare(len(b.waiting), len(a.waiting)), cmp.Compare(a.lock, b.lock))
	})
	return all[:min(len(all), maxContended)]
}

// lastLink follows who waits for whom to the thread that waits for one which does not wait for
// a known owner; ok is false where that one waits for no lock.
func (h *Heap) lastLink(t heap.ObjID) (last heap.ObjID, ok bool) {
	seen := map[heap.ObjID]bool{}
	for at := t; len(h.links[at].owners) > 0 && !seen[at]; at = h.links[at].owners[0] {
		seen[at] = true
		last = at
	}
	l := h.links[last]
	return last, last != 0 && h.Tables[tableThread].Row(l.lock) < 0
}

// manyFor says how many threads that wait are worth a remark.
func (h *Heap) manyFor(c *convoy) int {
	first := h.threadOf(c.first)
	if h.waitsFor(&first).owner.ended() {
		return waitingEver
	}
	owner := h.threadOf(h.links[c.first].owners[0])
	if owner.stuck() || owner.paused() || owner.inIO() {
		return waitingStanding
	}
	return waitingRunning
}

// blockedQueues returns the queues of the thread pools all of whose threads are among these.
func (h *Heap) blockedQueues(threads []heap.ObjID) []heap.ObjID {
	among, left := map[heap.ObjID]bool{}, map[heap.ObjID]bool{} // left: pools with threads that go on
	for _, t := range threads {
		among[t] = true
	}
	pools, all := h.Tables[tableThreadPool], h.poolsOf()
	for t, pool := range all {
		left[pool] = left[pool] || !among[t]
	}
	var queues []heap.ObjID
	for row, pool := range pools.Objects {
		if goesOn, known := left[pool]; known && !goesOn && pools.Ref(row, columnPoolQueue) != 0 {
			queues = append(queues, pools.Ref(row, columnPoolQueue))
		}
	}
	return queues
}

// heldAlone returns the bytes that only these threads keep: their own, and what nothing but
// their stacks refers to, with all that this retains, and the tasks that only they would take from
// the queues of their pools. Errors: that of ctx; no memory.
func (h *Heap) heldAlone(ctx context.Context, threads []heap.ObjID) (int64, error) {
	wanted, among := h.NewSet(), map[uint32]bool{} // threads, and their serial numbers
	for _, t := range threads {
		wanted.Add(t)
	}
	for _, t := range h.Threads {
		among[t.Serial] = wanted.Has(t.Object)
	}
	locals, shared := h.NewSet(), h.NewSet()
	for r := range h.Roots.All() {
		if r.Local() && among[r.Thread] {
			locals.Add(r.Object)
		} else {
			shared.Add(r.Object)
		}
	}
	for o := heap.ObjID(1); int(o) <= h.Objects(); o++ {
		if o%checkEvery == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if !h.reachable(o) {
			continue
		}
		for target := range h.References(o) {
			if locals.Has(target) {
				shared.Add(target)
			}
		}
	}
	alone := slices.Clone(threads)
	for r := range h.Roots.All() {
		if locals.Has(r.Object) && !shared.Has(r.Object) {
			alone = append(alone, r.Object)
		}
	}
	return h.retainedTogether(slices.Values(append(alone, h.blockedQueues(threads)...)))
}
