package heap

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestAround reads what may have a wanted object, and no more: pieces that follow each other as
// one, up to the size of a unit.
func TestAround(t *testing.T) {
	pieces := []piece{{0, 100, 8, 80}, {100, 200, 88, 160}, {250, 300, 40, 400}, {300, 300 + unitBytes, 500, 600}, {300 + unitBytes, 400 + unitBytes, 608, 700}}
	for _, row := range []struct {
		name   string
		wanted []uint64
		units  []unit
	}{
		{"none wanted", nil, nil},
		{"beyond all", []uint64{4, 800}, nil},
		{"between two", []uint64{84, 480}, []unit{{start: 250, end: 300}}}, // 84 may be in the third
		{"the first and last address", []uint64{8, 700}, []unit{{start: 0, end: 100}, {start: 300 + unitBytes, end: 400 + unitBytes}}},
		{"neighbours", []uint64{16, 96}, []unit{{start: 0, end: 200}, {start: 250, end: 300}}},
		{"no more than a unit", []uint64{500, 608}, []unit{{start: 300, end: 300 + unitBytes}, {start: 300 + unitBytes, end: 400 + unitBytes}}},
	} {
		assert.Equal(t, row.units, around(pieces, row.wanted), row.name)
	}
}

// TestCut ends a piece that has objects, and drops one that has none.
func TestCut(t *testing.T) {
	p := newPiece(10)
	w := &indexer{}
	w.cut(&p, 20) // nothing was in it
	assert.Empty(t, w.pieces)
	p.low, p.high = 8, 16
	w.cut(&p, 40)
	assert.Equal(t, []piece{{20, 40, 8, 16}}, w.pieces)
	assert.Equal(t, newPiece(40), p)
}
