package heap

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSizesOfManyFields: fields that find no hole are placed all at once, in the same way as one by one.
func TestSizesOfManyFields(t *testing.T) {
	l := Layout{RefBytes: 4, HeaderBytes: 12, Align: 8}
	object, wide := fieldSizes{}, fieldSizes{eights: 1000, fours: 3, twos: 5, ones: 7, refs: 2000}
	assert.Equal(t, int64(12+4+8000+2*4+5*2+7+3+8000+4), l.instanceSize([]*fieldSizes{&object, &wide}), "an int lies before the longs, three bytes before the references are free")
	assert.Equal(t, int64(24), l.instanceSize([]*fieldSizes{{ones: 1}, {eights: 1}}), "a hole stays")
	assert.Equal(t, int64(24), l.instanceSize([]*fieldSizes{{ones: 1}, {eights: 1}, {twos: 1}}), "and is filled by a subclass")
	l.plain = true
	assert.Equal(t, int64(12+4+8), l.instanceSize([]*fieldSizes{{eights: 9}, {ones: 1}, {eights: 1}}), "the topmost class's do not count")
}

// TestHoles fills the holes of hierarchies as HotSpot does with compressed references.
func TestHoles(t *testing.T) {
	f := func(levels bool, want int64, hierarchy ...fieldSizes) {
		t.Helper()
		l := Layout{RefBytes: 4, HeaderBytes: 12, Align: 8, levels: levels}
		all := []*fieldSizes{{}}
		for i := range hierarchy {
			all = append(all, &hierarchy[i])
		}
		assert.Equal(t, want, l.instanceSize(all))
	}
	const before15, since15 = true, false
	f(before15, 24, fieldSizes{eights: 1, ones: 1})                     // the byte before the long
	f(before15, 24, fieldSizes{eights: 1, twos: 1, ones: 2})            // and what is less than an int
	f(before15, 24, fieldSizes{eights: 1, refs: 1})                     // or a reference
	f(before15, 32, fieldSizes{eights: 1, fours: 1, refs: 1})           // but one of them
	f(before15, 32, fieldSizes{eights: 1, ones: 5})                     // and four bytes
	f(before15, 24, fieldSizes{ones: 1}, fieldSizes{ones: 1, fours: 1}) // each class begins anew
	f(since15, 24, fieldSizes{ones: 1}, fieldSizes{ones: 1, fours: 1})
	f(since15, 16, fieldSizes{ones: 1}, fieldSizes{ones: 3})
	// Of the holes from 13 to 16 and from 28 to 32 the byte takes the smaller one, and the int the other.
	chain := []fieldSizes{{eights: 1, ones: 1}, {fours: 1}, {eights: 1}, {ones: 1}, {fours: 1}}
	f(since15, 40, chain...)
	f(since15, 40, chain[:3]...)
	f(before15, 48, chain...)
}
