package finding

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	// maxBelow bounds the objects below a suspect that are counted by class. It is given up
	// where they are likely to be more than that, by the second sampleBelow of them: among the
	// first ones may be the one array that refers to all others.
	maxBelow, sampleBelow = 4 << 20, 64 << 10
)

// below is what objects retain, in two words.
type below struct {
	// most names the class with most bytes of it, "" where that is little.
	most string
	// mostClass is that class.
	mostClass string
	// own is the program's class whose objects retain most of it, "" where that is little; it
	// has count of them there. part is what they retain where that is less than half, else 0.
	own         string
	count, part int64
	// inner is another class whose objects retain most of it, with innerCount of them, where own has few
	// objects: "" for none.
	inner      string
	innerCount int64
	// waiting are the program's coroutines among them, where the objects of most are Kotlin's own.
	waiting coroutines
}

const (
	// partShare is the percentage that a class of objects must retain to be named where none has half.
	partShare = 10
	// fewOwn is how many objects are too few to say what there is much of, and manyInner how many times as
	// many of another class say it.
	fewOwn, manyInner = 1000, 10
)

// below says what it is that objects retain, of which all were counted; nothing where that are too
// many to count. Those of the class but are not what is looked for.
func (h *Heap) below(all *tally, retained int64, but string) (b below) {
	if all == nil {
		return b
	}
	counts, bytes := all.counts, all.bytes
	b.waiting = h.coroutinesAmong(counts)
	most := heap.ClassID(slices.Index(bytes, slices.Max(bytes)))
	if bytes[most]*2 >= retained && counts[most] > 1 {
		b.mostClass = h.Classes[most].Name
		b.most = fmt.Sprintf("%s %s with %s", unit.Count(counts[most]), clip(stableClass(h.Classes[most].Name), 80), unit.Bytes(bytes[most]))
	}
	const chain, part, half = 1, 2, 3 // how much a class says
	rank, best := 0, int64(0)
	for class := range h.ownAmong(counts, but) {
		name, kept := h.Classes[class].Name, int64(0)
		for _, o := range all.samples[class] {
			kept += h.retained(o)
		}
		kept = kept * counts[class] / int64(len(all.samples[class]))
		r := half
		switch chained := isLink(name) || kept > retained*2; { // each retains those behind it
		case chained && kept*2 >= retained:
			r = chain
		case chained || kept*100 < retained*partShare:
			continue
		case kept*2 < retained:
			r = part
		case counts[class] > b.innerCount:
			b.inner, b.innerCount = name, counts[class]
		}
		if cmp.Or(cmp.Compare(r, rank), cmp.Compare(kept, best)) > 0 {
			rank, best, b.own, b.count = r, kept, name, counts[class]
		}
	}
	if rank == part {
		b.part = best
	}
	if b.count >= fewOwn || b.innerCount < b.count*manyInner {
		b.inner, b.innerCount = "", 0
	}
	return b
}

// isLink says whether a class is, by its name, of those whose objects but lead to others: it retains more than these do, and
// says less.
func isLink(class string) bool {
	name := strings.TrimRight(simpleName(class), "0123456789")
	return slices.ContainsFunc([]string{"Node", "Entry", "Holder", "Link", "Cell", "Bucket", "Segment", "Slot", "Page", "Leaf"}, func(word string) bool {
		return strings.HasSuffix(name, word)
	})
}

// tallyBelow counts what objects retain, nil where that are too many. Errors: that of ctx.
func (h *Heap) tallyBelow(ctx context.Context, objects []heap.ObjID, retained int64) (*tally, error) {
	sample := newTally(h)
	var before int64 // of the first sampleBelow
	for _, object := range objects {
		h.Tree.Below(uint32(object), func(o uint32) bool {
			sample.add(heap.ObjID(o))
			if sample.n == sampleBelow {
				before = sample.total
			}
			return sample.n < 2*sampleBelow
		})
	}
	switch {
	case sample.n < 2*sampleBelow:
		return sample, nil
	case retained-sample.total >= (sample.total-before)*(maxBelow/sampleBelow):
		return nil, nil
	}
	var parts []*tally // by core
	for _, object := range objects {
		core := 0
		err := h.Tree.BelowAtOnce(ctx, uint32(object), func() func(o uint32) bool {
			if core == len(parts) {
				parts = append(parts, newTally(h))
			}
			part := parts[core]
			core++
			return func(o uint32) bool {
				part.add(heap.ObjID(o))
				return part.n < maxBelow
			}
		})
		if err != nil {
			return nil, err
		}
	}
	all := newTally(h)
	for _, part := range parts {
		all.join(part)
	}
	if all.n >= maxBelow {
		return nil, nil
	}
	return all, nil
}

// ownAmong yields the program's classes of which there are several objects, without those of lambdas and but.
func (h *Heap) ownAmong(counts []int64, but string) iter.Seq[heap.ClassID] {
	return func(yield func(heap.ClassID) bool) {
		for class, n := range counts {
			name := h.Classes[class].Name
			if n > 1 && name != but && !platform(name) && !container(name) && stableClass(name) == name && !yield(heap.ClassID(class)) {
				return
			}
		}
	}
}

// notTheCause says of a class whose objects are held that finalization is not why they stay, where
// they have Finalizers, "" for others.
func (h *Heap) notTheCause(class string) string {
	for _, c := range h.ClassesNamed(class) {
		if h.registry.classes[c].of(registeredHeld) > 0 {
			return fmt.Sprintf(" Those of %s have Finalizers, registered and not pending: finalization is not the cause.", short(class))
		}
	}
	return ""
}

// of returns what so many objects retain, of which that many were looked at.
func (b below) of(count int64, looked int) below {
	n := int64(looked)
	b.count, b.part, b.innerCount = b.count*count/n, b.part*count/n, b.innerCount*count/n
	b.waiting.count = b.waiting.count * count / n
	return b
}

// words names the program's objects, "" where there are none.
func (b below) words() string {
	if b.own == "" {
		return ""
	}
	words := unit.Count(b.count) + " " + clip(b.own, 100)
	if b.part > 0 {
		words += " with " + unit.Bytes(b.part)
	}
	if b.inner != "" {
		words += " with " + unit.Count(b.innerCount) + " " + clip(b.inner, 100)
	}
	return words
}
