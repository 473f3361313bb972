package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// linkQueued links the threads that wait for tasks which nobody has begun: the threads of the
// pool are the owners whose queue a task is in. A pool starts no more of them while its queue
// takes tasks (java.util.concurrent.ThreadPoolExecutor.execute).
func (h *Heap) linkQueued() {
	h.linkFutures()
	wanted := map[heap.ObjID]bool{} // tasks
	for _, l := range h.links {
		if len(l.owners) == 0 && (h.IsSubclass(h.ClassOf(l.lock), "java.util.concurrent.FutureTask") || h.IsSubclass(h.ClassOf(l.lock), completable)) {
			wanted[l.lock] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	threads := map[heap.ObjID][]heap.ObjID{} // by pool
	for t, pool := range h.poolsOf() {
		threads[pool] = append(threads[pool], t)
	}
	pools, owners := h.Tables[tableThreadPool], map[heap.ObjID][]heap.ObjID{} // by task
	for row, pool := range pools.Objects {
		if len(threads[pool]) == 0 {
			continue
		}
		slices.Sort(threads[pool])
		for _, task := range h.queuedIn(pools.Ref(row, columnPoolQueue), wanted) {
			owners[task] = threads[pool]
		}
	}
	for t, l := range h.links {
		if of := owners[l.lock]; len(l.owners) == 0 && of != nil {
			h.links[t] = link{l.lock, of, proofQueue}
		}
	}
}

// linkFutures links the threads that wait for a CompletableFuture to that future, which they know
// by a variable only, and, where a thread has begun to run the task that completes it, to that
// thread.
//
// Source: java/util/concurrent/CompletableFuture.java: join() parks on a Signaller; a task of
// runAsync and the like forgets its future as it begins, but for a variable of its run().
func (h *Heap) linkFutures() {
	runners := map[heap.ObjID]heap.ObjID{} // by future
	for s := range h.Stacks() {
		if l, ok := h.links[s.Object]; ok && len(l.owners) == 0 && h.Class(l.lock).Name == completable+"$Signaller" {
			if future := h.futureOn(s, completable); future != 0 {
				h.links[s.Object] = link{lock: future}
			}
		}
		if future := h.futureOn(s, asyncTask); future != 0 {
			runners[future] = s.Object
		}
	}
	for t, l := range h.links {
		if by := runners[l.lock]; by != 0 && by != t && len(l.owners) == 0 {
			h.links[t] = link{l.lock, []heap.ObjID{by}, proofLocals}
		}
	}
}

// futureOn returns the CompletableFuture that the innermost call of a class whose name begins so
// refers to, 0 if there is none.
func (h *Heap) futureOn(s heap.Stack, class string) heap.ObjID {
	for i, f := range s.Frames {
		if !strings.HasPrefix(f.Class, class) {
			continue
		}
		for _, l := range s.Locals(i) {
			if h.IsSubclass(h.ClassOf(l.Object), completable) {
				return l.Object
			}
		}
	}
	return 0
}

const (
	completable = "java.util.concurrent.CompletableFuture"
	asyncTask   = completable + "$Async"
)

// columnPoolQueue is that of tableThreadPool.
const columnPoolQueue = 1

// queuedIn returns those of the wanted tasks that are in a queue of java.util.concurrent.
func (h *Heap) queuedIn(queue heap.ObjID, wanted map[heap.ObjID]bool) []heap.ObjID {
	var found []heap.ObjID
	seen := map[heap.ObjID]bool{queue: true}
	for todo := []heap.ObjID{queue}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for r := range h.References(o) {
			part := strings.HasPrefix(h.Class(r).Name, "java.util.concurrent.") && strings.Contains(h.Class(r).Name, "Queue") || strings.HasSuffix(h.Class(r).Name, "[]")
			switch {
			case seen[r]:
			case wanted[r]:
				seen[r] = true
				found = append(found, r)
			case strings.HasPrefix(h.Class(r).Name, asyncTask):
				for future := range h.References(r) {
					if wanted[future] && !seen[future] {
						seen[future] = true
						found = append(found, future)
					}
				}
			case part:
				seen[r] = true
				todo = append(todo, r)
			}
		}
	}
	return found
}

// wordStarving is about the threads of a pool that all wait for tasks in their own queue.
func (h *Heap) wordStarving(f *Finding, d *deadlock) {
	n := len(h.links[d.circle[0]].owners)
	f.Title = fmt.Sprintf("Deadlock: all %s of a thread pool wait for tasks in the pool's own queue", unit.Plural(int64(n), "thread", "threads"))
	f.Evidence.Lock.Owner, f.Evidence.Lock.OwnerState, f.Evidence.Lock.OwnerStack = "", "", nil // one like the others
	f.Evidence.Lock.Proof = ""
	f.Evidence.Facts = append(f.Evidence.Facts[:2], fact("threads of the pool", "%s, all of them waiting", unit.Count(int64(n))))
	f.Advice = "Never wait in a thread of a pool for another task of the same pool: give the inner tasks a pool of their own, or go on by CompletableFuture.thenCompose. Only a restart of the JVM ends this one."
}
