package heap

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// candidates are the layouts of HotSpot for a width of ids, likeliest first.
func candidates(idSize int) []Layout {
	if idSize == 4 {
		return []Layout{{RefBytes: 4, HeaderBytes: 8, ArrayBytes: 12, Name: "32-bit"}}
	}
	return []Layout{
		{RefBytes: 4, HeaderBytes: 12, ArrayBytes: 16, Name: "64-bit, compressed references"},
		{RefBytes: 8, HeaderBytes: 12, ArrayBytes: 16, Name: "64-bit, compressed class pointers"},
		{RefBytes: 8, HeaderBytes: 16, ArrayBytes: 24, Name: "64-bit"},
		{RefBytes: 4, HeaderBytes: 8, ArrayBytes: 12, Name: "64-bit, compressed references, compact headers"},
		{RefBytes: 8, HeaderBytes: 8, ArrayBytes: 12, Name: "64-bit, compact headers"},
	}
}

// firstProbeBytes is how much of a dump's middle is looked at to infer the layout, and probeBytes how
// much of its beginning if that leaves doubts; classes, of which there may be megabytes, are not counted.
const (
	firstProbeBytes = 2 << 20
	probeBytes      = 8 << 20
)

// probed is an object met while probing: width is 0 for those that are no arrays.
type probed struct {
	address uint64
	count   uint32
	width   uint8
	ref     bool
}

// inferLayout looks at the middle of the dump, and where that leaves doubts, at its beginning. Objects
// do not overlap, so a layout by which an array would reach into its neighbour is refuted; among the
// others that one wins by which most neighbours touch.
func inferLayout(ctx context.Context, f *hprof.File, extents []hprof.Extent) (Layout, error) {
	l, err := inferLayoutFrom(ctx, f, extents[len(extents)/2:], firstProbeBytes)
	if err != nil || l.Sure {
		return l, err
	}
	return inferLayoutFrom(ctx, f, extents, probeBytes)
}

// inferLayoutFrom looks at so many bytes.
func inferLayoutFrom(ctx context.Context, f *hprof.File, extents []hprof.Extent, bytes int64) (Layout, error) {
	sample, err := probe(ctx, f, extents, bytes)
	if err != nil {
		return Layout{}, err
	}
	slices.SortFunc(sample, func(a, b probed) int {
		return cmp.Compare(a.address, b.address)
	})
	align := 0
	for i := 1; i < len(sample); i++ {
		align = gcd(align, int(sample[i].address-sample[i-1].address))
	}
	align &= -align // a few objects may lie farther apart than they must
	if align < 8 || align > 256 {
		align = 8
	}
	var scores []score
	for _, l := range candidates(f.Header.IDSize) {
		l.Align = align
		s := score{Layout: l}
		for i := range pairs(sample) {
			switch size, gap := l.probedSize(sample[i]), int64(sample[i+1].address-sample[i].address); {
			case gap == size:
				s.fits++
			case gap < size:
				s.refuted++
			}
		}
		scores = append(scores, s)
	}
	best := scores[0]
	for _, s := range scores[1:] {
		if s.refuted < best.refuted || s.refuted == best.refuted && s.fits > best.fits {
			best = s
		}
	}
	best.Sure = best.refuted == 0
	for _, s := range scores {
		if s.Name != best.Name && s.refuted == 0 && !clearly(sample, best.Layout, s.Layout) {
			best.Sure = false
		}
	}
	return best.Layout, nil
}

// score is how well a layout fits: how many neighbours touch by it, and how many
// would overlap.
type score struct {
	Layout
	fits, refuted int
}

// pairs yields the i for which sample[i] is an array with another object behind it.
func pairs(sample []probed) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i+1 < len(sample); i++ {
			if sample[i].width != 0 && sample[i].address != sample[i+1].address && !yield(i) {
				return
			}
		}
	}
}

// probedSize returns the size of a probed array by the layout.
func (l *Layout) probedSize(p probed) int64 {
	width := int(p.width)
	if p.ref {
		width = l.RefBytes
	}
	return l.arraySize(int64(p.count), width)
}

// clearly says whether best fits much better than another layout where the two
// differ: a smaller layout is never refuted, but by it few neighbours touch.
func clearly(sample []probed, best, other Layout) bool {
	var fits, otherFits int
	for i := range pairs(sample) {
		a, b := best.probedSize(sample[i]), other.probedSize(sample[i])
		switch gap := int64(sample[i+1].address - sample[i].address); {
		case a == b:
		case gap == a:
			fits++
		case gap == b:
			otherFits++
		}
	}
	return fits >= 50 && fits > 20*otherFits
}

// probe collects the instances and arrays in the first sub-records, which take so many bytes.
func probe(ctx context.Context, f *hprof.File, extents []hprof.Extent, bytes int64) ([]probed, error) {
	var sample []probed
	o := hprof.NewObjects(f, f.Header.IDSize)
	for _, e := range extents {
		o.Reset(e.Start, e.End)
		at := e.Start
		for n := 0; bytes > 0 && o.Next(); n++ {
			if n&0xffff == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p := probed{address: o.ID, count: o.Count}
			switch o.Tag {
			case hprof.SubInstance:
			case hprof.SubObjectArray:
				p.width, p.ref = 8, true
			case hprof.SubPrimArray:
				p.width = uint8(o.Elem.Width(0))
			default:
				at = o.Position()
				continue
			}
			sample = append(sample, p)
			bytes -= o.Position() - at
			at = o.Position()
		}
		if bytes <= 0 {
			break
		}
	}
	return sample, nil
}

func gcd[T int | uint64](a, b T) T {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
