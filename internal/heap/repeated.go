package heap

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Objects that the dump describes more than once, as no JVM does: joined and converted dumps have
// them. The first description counts, of a class object its class dump.

// countRepeated counts the descriptions of objects that have numbers beyond the first of each.
func (b *builder) countRepeated(all *indexer) {
	described := int64(len(all.classes))
	if b.options.Depth != Counted {
		described += all.tally.total()
	}
	b.Repeated = described - int64(b.index.count)
}

// firstRepeated returns the offset of the first description that does not count. It reads the
// dump up to there, in the order of the file, unless only classes have numbers. Errors: that of
// ctx.
func (b *builder) firstRepeated(ctx context.Context, classes []*classDump) (int64, error) {
	first := firstAgain(classes)
	if b.options.Depth == Counted {
		return first, nil
	}
	b.markClasses()
	defer func() { b.seen = nil }()
	o := hprof.NewObjects(b.file, b.idSize)
	for _, u := range b.units {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for o.Reset(u.start, u.end); o.Next() && o.Offset < first; {
			switch o.Tag {
			case hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray, hprof.SubPrimArrayNoData:
				if b.again(b.index.id(o.ID)) {
					return o.Offset, nil
				}
			}
		}
	}
	return first, nil
}

// firstAgain returns the offset of the first class dump of a class that another one describes
// before, the greatest there is if there is none.
func firstAgain(classes []*classDump) int64 {
	inOrder := slices.SortedFunc(slices.Values(classes), func(x, y *classDump) int { return cmp.Compare(x.offset, y.offset) })
	known := map[uint64]bool{}
	for i := range inOrder {
		if known[inOrder[i].address] {
			return inOrder[i].offset
		}
		known[inOrder[i].address] = true
	}
	return math.MaxInt64
}

// markClasses notes that class objects are described, as their class dumps count.
func (b *builder) markClasses() {
	b.seen = make([]uint64, b.index.count/64+1)
	for i := range b.Classes {
		if o := uint64(b.Classes[i].Object); o <= b.index.count {
			b.seen[o/64] |= 1 << (o % 64)
		}
	}
}

// again says whether an object was described before, which happens in few dumps.
func (b *builder) again(o ObjID) bool {
	if b.seen == nil {
		return false
	}
	word, bit := &b.seen[o/64], uint64(1)<<(o%64)
	was := *word&bit != 0
	*word |= bit
	return was
}

// recount counts the instances of each class anew, each object once.
func (b *builder) recount() {
	for i := range b.Classes {
		b.Classes[i].Instances, b.Classes[i].ShallowBytes = 0, 0
	}
	for o := range b.Objects() {
		k := b.kinds.of(ObjID(o + 1))
		c := &b.Classes[k.class]
		c.Instances++
		c.ShallowBytes += int64(k.size8) * 8
	}
}
