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
