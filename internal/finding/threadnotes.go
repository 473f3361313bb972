package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	// threadNoteBytes is what is noted of a thread, on Go's heap, garbage included: with
	// less (320) limits were kept by a million threads on one lock, but just so.
	threadNoteBytes = 384
	// threadsAtOnce is how many threads are read together: what that takes is gone afterwards.
	threadsAtOnce = 1 << 16
)

// Plan tells what NewHeap and Detect will note outside of planned arrays, so that a scan which can't
// be done ends early. Errors: no memory.
func Plan(g *heap.Graph) error {
	return g.PlanNotes("looking at threads", threadNoteBytes*int64(len(g.Threads)))
}

// readThreads notes what the threads with a stack and the virtual ones tell of themselves, and
// returns them, sorted. Errors: that of ctx; no memory.
func (h *Heap) readThreads(ctx context.Context) ([]heap.ObjID, error) {
	threads := make([]heap.ObjID, len(h.Threads))
	h.threadOrder = make([]uint32, len(h.Threads))
	for i, t := range h.Threads {
		threads[i], h.threadOrder[i] = t.Object, uint32(i)
	}
	slices.SortStableFunc(h.threadOrder, func(a, b uint32) int { return cmp.Compare(h.Threads[a].Object, h.Threads[b].Object) })
	threads = append(threads, h.unmounted(threads)...)
	slices.Sort(threads)
	h.threadInfos = make(map[heap.ObjID]heap.ThreadInfo, len(threads))
	return threads, h.addThreads(ctx, threads)
}

// addThreads notes what threads tell of themselves. Errors: that of ctx.
func (h *Heap) addThreads(ctx context.Context, threads []heap.ObjID) error {
	for some := range slices.Chunk(threads, threadsAtOnce) {
		infos, err := h.ThreadInfos(ctx, some)
		if err != nil {
			return err
		}
		for t, info := range infos {
			if info.Name == "" && info.Virtual { // as Thread.toString does
				info.Name = fmt.Sprintf("VirtualThread[#%d]", info.ID)
			}
			h.threadInfos[t] = info
		}
	}
	return nil
}

// readOtherNames reads the names of the threads of timers and pools that are not known yet. Errors:
// that of ctx.
func (h *Heap) readOtherNames(ctx context.Context) error {
	h.otherNames = map[heap.ObjID]string{}
	names, strings := map[heap.ObjID]heap.ObjID{}, []heap.ObjID{} // names by thread
	add := func(thread heap.ObjID) {
		row := h.Tables[tableThread].Row(thread)
		if _, known := h.threadInfos[thread]; known || row < 0 {
			return
		}
		names[thread] = h.Tables[tableThread].Ref(row, 0)
		strings = append(strings, names[thread])
	}
	timers, workers := h.Tables[tableTimer], h.Tables[tableWorker]
	for row := range timers.Len() {
		add(timers.Ref(row, columnOwner))
	}
	for row := range min(workers.Len(), maxWorkers) {
		add(workers.Ref(row, columnThread))
	}
	if len(strings) == 0 {
		return nil
	}
	text, err := h.Strings(ctx, strings)
	for thread, name := range names {
		h.otherNames[thread] = text[name]
	}
	return err
}

// threadName returns the name of a thread that has a stack, is virtual, or serves a timer or a pool; ""
// for other objects.
func (h *Heap) threadName(o heap.ObjID) string {
	if info, ok := h.threadInfos[o]; ok {
		return info.Name
	}
	return h.otherNames[o]
}
