package finding

import (
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// jobOf returns what a thread of a ThreadPoolExecutor is at, ok being false where it waits for work.
func (h *Heap) jobOf(s heap.Stack) (e errand, ok bool) {
	base := slices.IndexFunc(s.Frames, func(f heap.Frame) bool { return f.Class == poolClass && f.Method == "runWorker" })
	if base < 0 || slices.ContainsFunc(s.Frames[:base], poolWaits) {
		return errand{}, false
	}
	e = errand{service: scheduling, base: base, entry: outermost(s.Frames[:base], isNot("java.util.concurrent."))}
	e.thread = thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
	return e, e.entry >= 0
}

// poolKept returns what the threads of the pool are at that takes its tasks from a queue, if all of
// them wait without a limit of time and nobody is at work who could end that; else nil. Many that
// wait for one lock are a lock-convoy.
func (h *Heap) poolKept(queue heap.ObjID) []errand {
	pools, threads := h.poolsOf(), 0
	for _, pool := range pools {
		if h.hasReference(pool, queue) {
			threads++
		}
	}
	return h.allKept(threads, func(s heap.Stack) (e errand, mine, ok bool) {
		if pool := pools[s.Object]; pool == 0 || !h.hasReference(pool, queue) {
			return e, false, false
		}
		e, ok = h.jobOf(s)
		return e, true, ok
	})
}

// allKept returns what the threads are at that are mine, at least so many, if each of them has a job and waits in it without a limit
// of time, and they do not wait in numbers for a lock that one has; else nil.
func (h *Heap) allKept(threads int, job func(heap.Stack) (e errand, mine, ok bool)) []errand {
	var kept []errand
	for s := range h.Stacks() {
		e, mine, ok := job(s)
		if !mine {
			continue
		}
		if !ok || e.pace(h.waitOf(&e.thread)) != standing {
			return nil
		}
		kept = append(kept, e)
	}
	if len(kept) < threads || len(kept) == 0 || len(kept) >= waitingStanding && h.waitOf(&kept[0].thread).owner != nil {
		return nil
	}
	return kept
}

// wordPoolKept adds to the verdict on a long queue of tasks what keeps the threads that are to take
// them: while that lasts, the queue can but grow.
func (h *Heap) wordPoolKept(f *Finding, s *suspect, p pressure) {
	e := &s.kept[0]
	class, method := e.call()
	w := h.waitOf(&e.thread)
	if f.Severity == SeverityInfo && s.retained >= suspectBytes && s.retained*100 >= p.liveBytes*criticalShare {
		f.Severity = SeverityWarning
	}
	f.Culprit.Thread = e.Name
	who := fmt.Sprintf("Thread %q, which is to take them, is kept by", clip(e.Name, 60))
	if n := int64(len(s.kept)); n > 1 {
		who = fmt.Sprintf("All %s that are to take them (%q) are kept, one by", unit.Plural(n, "thread", "threads"), clip(namePattern(e.Name), 60))
	}
	f.Summary = fmt.Sprintf("%s %s %s.%s(). %s", f.Summary, who, short(class), clip(method, 60), h.waiting(&e.thread, w))
	f.Advice = "Give what the tasks wait for a time limit. Work that waits wants an executor of its own, with a queue of bounded size: that of a ForkJoinPool, and of the Async methods of CompletableFuture without an executor, has no bound."
	if f.Kind == "growing-collection" {
		f.Advice = "Give what the tasks wait for a time limit, and the pool a queue of bounded size (ArrayBlockingQueue) with a RejectedExecutionHandler that slows its callers down."
	}
	if w.owner != nil {
		f.Advice = w.advice("the tasks")
	}
	v := h.threadEvidence(&e.thread, w)
	f.Evidence.Stack, f.Evidence.Lock = v.Stack, v.Lock
	f.Evidence.Facts = append(append(f.Evidence.Facts, fact("kept by", "%s.%s", class, method)), v.Facts...)
	f.Evidence.Refutes = "a thread dump some seconds later in which the threads are elsewhere"
}
