package finding

import (
	"cmp"
	"context"
	"fmt"
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
	// ownClasses bounds the program's classes of which it is looked up how much their objects retain.
	ownClasses = 8
)

// below is what objects retain, in two words.
type below struct {
	// most names the class with most bytes of it, "" where that is little.
	most string
	// mostClass is that class.
	mostClass string
	// own is the program's class whose objects retain most of it, "" where that is little; it
	// has count of them there.
	own   string
	count int64
}

// below says what it is that objects retain, of which all were counted; nothing where that are too
// many to count. Those of the class but are not what is looked for.
func (h *Heap) below(all *tally, retained int64, but string) (b below) {
	if all == nil {
		return b
	}
	counts, bytes := all.counts, all.bytes
	most := heap.ClassID(slices.Index(bytes, slices.Max(bytes)))
	if bytes[most]*2 >= retained && counts[most] > 1 {
		b.mostClass = h.Classes[most].Name
		b.most = fmt.Sprintf("%s %s with %s", unit.Count(counts[most]), clip(stableClass(h.Classes[most].Name), 80), unit.Bytes(bytes[most]))
	}
	best, links := int64(0), true
	for _, class := range h.ownAmong(counts, but) {
		name, kept := h.Classes[class].Name, int64(0)
		for _, o := range all.samples[class] {
			kept += h.retained(o)
		}
		kept = kept * counts[class] / int64(len(all.samples[class]))
		if l := isLink(name); kept*2 >= retained && (links && !l || links == l && kept > best) {
			best, links, b.own, b.count = kept, l, name, counts[class]
		}
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
	var parts []*tally
	for _, object := range objects {
		err := h.Tree.BelowAtOnce(ctx, uint32(object), func() func(o uint32) bool {
			part := newTally(h)
			parts = append(parts, part)
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

// ownAmong returns the program's classes of most objects, without those of lambdas and but.
func (h *Heap) ownAmong(counts []int64, but string) []heap.ClassID {
	var own []heap.ClassID
	for class, n := range counts {
		if name := h.Classes[class].Name; n > 1 && name != but && !platform(name) && !container(name) && stableClass(name) == name {
			own = append(own, heap.ClassID(class))
		}
	}
	slices.SortStableFunc(own, func(a, b heap.ClassID) int { return cmp.Compare(counts[b], counts[a]) })
	return own[:min(len(own), ownClasses)]
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

// words names the program's objects, "" where there are none.
func (b below) words() string {
	if b.own == "" {
		return ""
	}
	return unit.Count(b.count) + " " + clip(b.own, 100)
}
