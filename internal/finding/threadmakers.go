package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// poolsOf returns the pools by their threads.
func (h *Heap) poolsOf() map[heap.ObjID]heap.ObjID {
	pools, workers := map[heap.ObjID]heap.ObjID{}, h.Tables[tableWorker]
	for row, worker := range workers.Objects {
		if pool := workers.Ref(row, columnPool); h.reachable(worker) && h.Tables[tableThreadPool].Row(pool) >= 0 {
			pools[workers.Ref(row, columnThread)] = pool
		}
	}
	return pools
}

// timersOf returns the Timers by their threads.
func (h *Heap) timersOf() map[heap.ObjID]heap.ObjID {
	of, timers := map[heap.ObjID]heap.ObjID{}, h.Tables[tableTimer]
	for row, timer := range timers.Objects {
		if h.reachable(timer) {
			of[timers.Ref(row, columnOwner)] = timer
		}
	}
	return of
}

// queuesOf returns the queues of tasks of the crowd's pools and Timers, and the Timers' tasks. A
// thread that waits has them in its calls, so that neither it nor its maker retains them alone.
func (h *Heap) queuesOf(c *crowd) []heap.ObjID {
	timers, tasks, pools := h.Tables[tableTimerThread], h.Tables[tableTaskQueue], h.Tables[tableThreadPool]
	var own []heap.ObjID
	for _, thread := range c.threads {
		row := timers.Row(thread)
		if row < 0 {
			continue
		}
		queue := timers.Ref(row, columnQueue)
		own = append(own, queue)
		if row := tasks.Row(queue); row >= 0 {
			own = slices.AppendSeq(own, h.References(tasks.Ref(row, columnQueue)))
		}
	}
	for _, pool := range c.makers {
		if row := pools.Row(pool); row >= 0 {
			own = append(own, pools.Ref(row, columnPoolQueue))
		}
	}
	return slices.DeleteFunc(own, func(o heap.ObjID) bool { return o == 0 || !h.reachable(o) })
}

// heldMakers says who has the makers. Where nobody has many of the pools, their own threads
// aside, the crowd becomes that of those alone; pools that end by themselves are left out.
// Errors: that of ctx.
func (h *Heap) heldMakers(ctx context.Context, c *crowd) (holder, *Path, error) {
	if len(c.makers) == 0 {
		return holder{}, nil, nil
	}
	tracks, err := h.TracksAround(ctx, slices.Concat(c.threads, h.Tables[tablePhantom].Objects), c.makers)
	if err != nil {
		return holder{}, nil, err
	}
	defer tracks.Free()
	locals := h.NewSet()
	for r := range h.Roots.All() {
		if r.Local() {
			locals.Add(r.Object)
		}
	}
	workers, queues := h.Tables[tableWorker], h.Tables[tableExecutor]
	ending := h.endingPools()
	var held, lost []heap.ObjID
	for _, m := range c.makers {
		var root heap.ObjID
		for o := range tracks.Back(m) {
			root = o
		}
		own := locals.Has(root) && (root == m || workers.Row(root) >= 0 || queues.Row(m) >= 0 && queues.Ref(queues.Row(m), columnWorkQueue) == root)
		switch nobody := root == 0 || own; {
		case nobody && ending[m]:
		case nobody:
			lost = append(lost, m)
		default:
			held = append(held, m)
		}
	}
	if c.lost = c.maker == byPool && len(lost) >= lostRemark; c.lost {
		h.keepMakers(c, lost)
		return holder{}, nil, nil
	}
	if c.maker == byPool {
		h.keepMakers(c, slices.Concat(held, lost))
	}
	paths, err := h.mergePaths(ctx, tracks, held, 1)
	if err != nil || len(paths) == 0 {
		return holder{}, nil, err
	}
	return holderOn(&paths[0]), &paths[0], nil
}

// keepMakers makes the crowd one of these pools and their threads.
func (h *Heap) keepMakers(c *crowd, pools []heap.ObjID) {
	kept, of := h.NewSet(), h.poolsOf()
	for _, p := range pools {
		kept.Add(p)
	}
	c.makers = pools
	c.threads = slices.DeleteFunc(c.threads, func(t heap.ObjID) bool { return !kept.Has(of[t]) })
}

// endingPools are those that a finalize() or a Cleaner shuts down once the object around them
// is gone: what newSingleThreadExecutor returns, up to JDK 20 and since.
func (h *Heap) endingPools() map[heap.ObjID]bool {
	pools := map[heap.ObjID]bool{}
	wrappers := h.ClassesNamed("java.util.concurrent.Executors$FinalizableDelegatedExecutorService")
	for _, referent := range h.registry.instances(h, wrappers) {
		for o := range h.References(referent) {
			pools[o] = true
		}
	}
	p := h.phantoms()
	for row := range p.table.Len() {
		if action := p.action(row); action != 0 {
			for o := range h.References(action) {
				pools[o] = true
			}
		}
	}
	return pools
}
