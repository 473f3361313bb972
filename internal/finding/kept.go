package finding

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// checkEvery is how many objects go by between two looks at the context.
const checkEvery = 1 << 16

// keep is what only finalization keeps on account of some referents.
type keep struct {
	objects, bytes int64
	// byClass are the bytes by the class of the referent: what several of them reach is
	// counted for one.
	byClass map[heap.ClassID]int64
}

// kept measures what only finalization keeps on account of the given referents: what they reach and
// no GC root does. Each object is counted once. Errors: that of ctx.
func (h *Heap) kept(ctx context.Context, referents []heap.ObjID) (keep, error) {
	k := keep{byClass: map[heap.ClassID]int64{}}
	if len(referents) == 0 {
		return k, nil
	}
	seen := h.NewSet()
	own := make([]heap.ObjID, 0, len(referents)) // each on its own account, whoever else reaches it
	for _, o := range referents {
		if !h.reachable(o) && seen.Add(o) {
			own = append(own, o)
		}
	}
	var todo []heap.ObjID
	for _, referent := range own {
		before := k.bytes
		todo = append(todo, referent)
		for len(todo) > 0 {
			o := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if k.objects++; k.objects%checkEvery == 0 && ctx.Err() != nil {
				return keep{}, ctx.Err()
			}
			k.bytes += h.ShallowBytes(o)
			for target := range h.References(o) {
				if !h.reachable(target) && seen.Add(target) {
					todo = append(todo, target)
				}
			}
		}
		k.byClass[h.ClassOf(referent)] += k.bytes - before
	}
	return k, nil
}

// backlog is what waits for one service thread.
type backlog struct {
	// waiting are the objects that wait, and bytes is what is kept for their sake.
	waiting int64
	bytes   int64
	// class is the class of most of them, and ofClass how many that are.
	class   string
	ofClass int64
	// heavy is another class, if most bytes are kept for that one, and heavyBytes are those.
	heavy      string
	heavyBytes int64
	// done is how many the thread has done since the last collection, -1 if the dump
	// cannot tell.
	done int64
	// peak is how many have ever waited at once, 0 if the dump cannot tell.
	peak int64
	// lasts is the evidence, in a sentence, that a thread which computes does not work
	// them off soon; empty where there is none.
	lasts string
}

// count adds up the classes of what waits.
func (b *backlog) count(classes map[string]int64) {
	for class, n := range classes {
		b.waiting += n
		if n > b.ofClass || n == b.ofClass && class < b.class {
			b.class, b.ofClass = class, n
		}
	}
}

// weigh takes over what is kept for the sake of what waits. Errors: that of ctx.
func (b *backlog) weigh(ctx context.Context, h *Heap, referents []heap.ObjID) error {
	k, err := h.kept(ctx, referents)
	b.bytes = k.bytes
	for class, bytes := range k.byClass {
		if name := h.Classes[class].Name; bytes*2 > k.bytes && name != b.class {
			b.heavy, b.heavyBytes = name, bytes
		}
	}
	return err
}

// The numbers of waiting objects that nobody needs to hear of, that are worth a
// finding whatever they keep, and that are beyond what a thread works off at once.
const (
	fewWaiting  = 100
	manyWaiting = 1000
	hugeWaiting = 10_000
)

// pace is how a thread gets on.
type pace int

const (
	// standing is for ever, for all that the thread can do about it.
	standing pace = iota
	// halting is waiting for a while in the middle of the work.
	halting
	// computing is what a thread does too that works off what a collection just found.
	computing
)

// severity rests on the share of the heap that the backlog keeps, on how many wait,
// and on evidence that they will go on waiting: the pace of the thread that should
// serve them. total is how many bytes are in use.
func (b *backlog) severity(p pace, total int64) Severity {
	share := func(percent int64) bool { return b.waiting >= fewWaiting && b.bytes*100 >= total*percent }
	var critical, warning bool
	switch p {
	case standing:
		critical = share(criticalShare) || b.waiting >= hugeWaiting || b.bytes >= suspectBytes && b.bytes*100 >= total*criticalShare
		warning = b.waiting >= fewWaiting
	case halting:
		critical = share(criticalShare)
		warning = share(worthShare) || b.waiting >= manyWaiting
	case computing:
		warning = b.lasts != "" && (share(criticalShare) && b.waiting >= manyWaiting || share(worthShare) && b.waiting >= hugeWaiting)
	}
	switch {
	case critical:
		return SeverityCritical
	case warning:
		return SeverityWarning
	}
	return SeverityInfo
}

// worth says whether the backlog deserves a remark at all.
func (b *backlog) worth(total int64) bool {
	return b.waiting >= manyWaiting || b.waiting >= fewWaiting && b.bytes*100 >= total*worthShare
}
