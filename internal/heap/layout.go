package heap

import (
	"fmt"
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
	// Name says for people of which kind the layout is.
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

// String describes the layout for people.
func (l *Layout) String() string { return fmt.Sprintf("%s, %d-byte alignment", l.Name, l.Align) }

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

// fieldSizes counts the fields of one class by what the layout must place.
type fieldSizes struct{ eights, fours, twos, ones, refs int }

// sizesOf counts the fields of a class.
func sizesOf(fields []Field) (s fieldSizes) {
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
func (l *Layout) instanceSize(hierarchy []*fieldSizes) int64 {
	end := int64(l.HeaderBytes)
	var gaps []gap
	for i, s := range hierarchy {
		switch {
		case l.plain && i == 0:
		case l.plain:
			end = alignUp(end+l.sum(*s), int64(l.RefBytes))
		case l.levels:
			end = l.placeLevel(end, *s)
		default:
			end, gaps = l.place(end, gaps, *s)
		}
	}
	return alignUp(end, int64(l.Align))
}

// sum returns the size of all the fields.
func (l *Layout) sum(s fieldSizes) int64 {
	return int64(8*s.eights + 4*s.fours + 2*s.twos + s.ones + l.RefBytes*s.refs)
}

// width returns the size of a field.
func (l *Layout) width(t hprof.Type) int64 {
	if t == hprof.TypeObject {
		return int64(l.RefBytes)
	}
	return int64(t.Width(0))
}

// gap is a hole in an object's layout.
type gap struct{ at, size int64 }

// place lays fields out as FieldLayoutBuilder does since JDK 15: biggest
// primitives first, then references, each in the smallest hole that takes it,
// holes of the superclasses included.
func (l *Layout) place(end int64, gaps []gap, s fieldSizes) (int64, []gap) {
	put := func(n int, width int64) {
		for ; n > 0; n-- {
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
				end = at + int64(n)*width // the others find no hole, either
				return
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
