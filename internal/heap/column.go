package heap

import (
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// column holds a word of each row of a Table. Where a long one has few values, as the queue of
// all Finalizers, a row takes a byte: the place of its value among those.
type column struct {
	words  offheap.Array[uint32]
	codes  offheap.Array[uint8]
	values []uint32 // nil where words are
}

const (
	// fewValues is how many values a column of codes has at most.
	fewValues = 16
	// manyRows is how many rows make a long column.
	manyRows = 1 << 16
)

// newColumn returns the column for the k-th words of the rows of stride words each, n in all, in
// that order. Errors: no memory.
func newColumn(m *offheap.Memory, order []rowRun, k, stride, n int) (c column, err error) {
	if n >= manyRows {
		c.values = distinct(order, k, stride)
	}
	if c.values == nil {
		c.words, err = offheap.Make[uint32](m, n)
	} else {
		c.codes, err = offheap.Make[uint8](m, n)
	}
	if err != nil {
		return c, err
	}
	code, last := 0, ^uint32(0)
	for _, s := range order {
		for i := s.from; i < s.to; i++ {
			w := s.part.words.At(s.part.row(i)*stride + k)
			if row := s.at + i - s.from; c.values == nil {
				c.words.Items[row] = w
			} else {
				if w != last || row == 0 {
					code, last = slices.Index(c.values, w), w
				}
				c.codes.Items[row] = uint8(code)
			}
		}
	}
	return c, nil
}

// distinct returns the values of the k-th words, nil where they are more than few.
func distinct(order []rowRun, k, stride int) (values []uint32) {
	last := ^uint32(0)
	for _, s := range order {
		for i := s.from; i < s.to; i++ {
			w := s.part.words.At(s.part.row(i)*stride + k)
			if w == last && values != nil || slices.Contains(values, w) {
				continue
			}
			if len(values) == fewValues {
				return nil
			}
			values, last = append(values, w), w
		}
	}
	return values
}

// at returns the word of a row.
func (c *column) at(row int) uint32 {
	if c.values == nil {
		return c.words.Items[row]
	}
	return c.values[c.codes.Items[row]]
}

func (c *column) free() {
	c.words.Free()
	c.codes.Free()
}
