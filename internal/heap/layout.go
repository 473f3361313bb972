package heap

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Layout says how the JVM laid its objects out. HPROF does not tell: it is
// inferred from the distances between objects.
//
// Source: HotSpot's objLayout.hpp, arrayOop.hpp, fieldLayoutBuilder.cpp.
type Layout struct {
	// RefBytes is the size of a reference in a field, 4 or 8.
	RefBytes int
	// HeaderBytes is where the first field can lie.
	HeaderBytes int
	// ArrayBytes is where the elements of an array begin, before the alignment
	// that elements of 8 bytes need.
	ArrayBytes int
	// Align is the alignment of objects.
	Align int
	// Name describes the layout for people.
	Name string
	// Sure is true when the distances in the dump fit this layout and no other.
	Sure bool

	// levels is true for JVMs before 15, which pad each class of a hierarchy to
	// a multiple of RefBytes instead of filling the gaps of the superclass.
	levels bool
	// plain is true where each class of a hierarchy but the topmost one adds the
	// sum of its fields, padded to a multiple of RefBytes.
	plain bool
}

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

// alignUp rounds n up to a multiple of to, which is a power of two but for the
// alignment that Eclipse MAT takes from the distances in a small dump.
func alignUp(n, to int64) int64 {
	if to&(to-1) != 0 {
		return (n + to - 1) / to * to
	}
	return (n + to - 1) &^ (to - 1)
}

// arraySize returns the shallow size of an array of n elements of width bytes.
func (l *Layout) arraySize(n int64, width int) int64 {
	base := int64(l.ArrayBytes)
	if width == 8 {
		base = alignUp(base, 8)
	}
	return alignUp(base+n*int64(width), int64(l.Align))
}

// firstProbeBytes is how much of a dump is looked at to infer the layout, and
// probeBytes how much if that leaves doubts.
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

// inferLayout looks at the beginning of the dump. Objects do not overlap, so a
// layout by which an array would reach into its neighbour is refuted; among the
// others that one wins by which most neighbours touch.
func inferLayout(ctx context.Context, f *hprof.File, extents []hprof.Extent) (Layout, error) {
	l, err := inferLayoutFrom(ctx, f, extents, firstProbeBytes)
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
	best.Name = fmt.Sprintf("%s, %d-byte alignment", best.Name, align)
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

// probe collects the objects in the first bytes of sub-records.
func probe(ctx context.Context, f *hprof.File, extents []hprof.Extent, bytes int64) ([]probed, error) {
	var sample []probed
	var seen int64
	o := hprof.NewObjects(f, f.Header.IDSize)
	for _, e := range extents {
		o.Reset(e.Start, min(e.End, e.Start+bytes-seen))
		for n := 0; o.Next(); n++ {
			if n&0xffff == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p := probed{address: o.ID, count: o.Count}
			switch o.Tag {
			case hprof.SubInstance, hprof.SubClassDump:
			case hprof.SubObjectArray:
				p.width, p.ref = 8, true
			case hprof.SubPrimArray:
				p.width = uint8(o.Elem.Width(0))
			default:
				continue
			}
			sample = append(sample, p)
		}
		if seen += e.End - e.Start; seen >= bytes {
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

// fieldSizes counts the fields of one class by what the layout must place.
type fieldSizes struct{ eights, fours, twos, ones, refs int }

func (l *Layout) sizes(fields []Field) fieldSizes {
	var s fieldSizes
	for _, f := range fields {
		switch f.Type.Width(0) {
		case 0:
			s.refs++
		case 1:
			s.ones++
		case 2:
			s.twos++
		case 4:
			s.fours++
		case 8:
			s.eights++
		}
	}
	return s
}

// instanceSize returns the shallow size of an instance whose hierarchy, topmost
// class first, has these fields.
func (l *Layout) instanceSize(hierarchy [][]Field) int64 {
	end := int64(l.HeaderBytes)
	var gaps []gap
	for i, fields := range hierarchy {
		s := l.sizes(fields)
		switch {
		case l.plain && i == 0:
		case l.plain:
			end = alignUp(end+l.sum(fields), int64(l.RefBytes))
		case l.levels:
			end = l.placeLevel(end, s)
		default:
			end, gaps = l.place(end, gaps, s)
		}
	}
	return alignUp(end, int64(l.Align))
}

// width returns the size of a field.
func (l *Layout) width(t hprof.Type) int64 {
	if t == hprof.TypeObject {
		return int64(l.RefBytes)
	}
	return int64(t.Width(0))
}

// sum returns the size of all the fields.
func (l *Layout) sum(fields []Field) (bytes int64) {
	for _, f := range fields {
		bytes += l.width(f.Type)
	}
	return bytes
}

// gap is a hole in an object's layout.
type gap struct{ at, size int64 }

// place lays fields out as FieldLayoutBuilder does since JDK 15: biggest
// primitives first, then references, each in the smallest hole that takes it,
// holes of the superclasses included.
func (l *Layout) place(end int64, gaps []gap, s fieldSizes) (int64, []gap) {
	put := func(n int, width int64) {
		for range n {
			best := -1
			for i, g := range gaps {
				at := alignUp(g.at, width)
				if at+width <= g.at+g.size && (best < 0 || g.size < gaps[best].size) {
					best = i
				}
			}
			if best < 0 {
				at := alignUp(end, width)
				if at > end {
					gaps = append(gaps, gap{end, at - end})
				}
				end = at + width
				continue
			}
			g := gaps[best]
			at := alignUp(g.at, width)
			gaps = slices.Delete(gaps, best, best+1)
			if at > g.at {
				gaps = append(gaps, gap{g.at, at - g.at})
			}
			if rest := g.at + g.size - at - width; rest > 0 {
				gaps = append(gaps, gap{at + width, rest})
			}
		}
	}
	put(s.eights, 8)
	put(s.fours, 4)
	put(s.twos, 2)
	put(s.ones, 1)
	put(s.refs, int64(l.RefBytes))
	return end, gaps
}

// placeLevel lays the fields of one class out as ClassFileParser did before JDK
// 15: the hole before the first 8-byte field is filled, the class's end is padded.
func (l *Layout) placeLevel(end int64, s fieldSizes) int64 {
	if s.eights > 0 && end%8 != 0 {
		hole := 8 - end%8
		for ; s.fours > 0 && hole >= 4; s.fours-- {
			hole -= 4
		}
		for ; s.twos > 0 && hole >= 2; s.twos-- {
			hole -= 2
		}
		for ; s.ones > 0 && hole >= 1; s.ones-- {
			hole--
		}
		for ; l.RefBytes == 4 && s.refs > 0 && hole >= 4; s.refs-- {
			hole -= 4
		}
		end = alignUp(end, 8)
	}
	end += int64(8*s.eights + 4*s.fours + 2*s.twos + s.ones)
	if s.refs > 0 {
		end = alignUp(end, int64(l.RefBytes)) + int64(s.refs*l.RefBytes)
	}
	return alignUp(end, int64(l.RefBytes))
}
