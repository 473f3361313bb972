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
	for _, s := range order {
		if c.values == nil {
			s.words(c.words.Items[s.at:], s.from, k, stride)
		} else {
			c.encode(&s, k, stride)
		}
	}
	return c, nil
}

// encode notes the codes of the k-th words of a run.
func (c *column) encode(s *rowRun, k, stride int) {
	code, last := 0, c.values[0]
	to := c.codes.Items[s.at:]
	var block [1 << 10]uint32
	for i := s.from; i < s.to; i += len(block) {
		for j, w := range s.words(block[:], i, k, stride) {
			if w != last {
				code, last = slices.Index(c.values, w), w
			}
			to[i-s.from+j] = uint8(code)
		}
	}
}

// distinct returns the values of the k-th words, nil where they are more than few.
func distinct(order []rowRun, k, stride int) (values []uint32) {
	last := ^uint32(0)
	var block [1 << 10]uint32
	for _, s := range order {
		for i := s.from; i < s.to; i += len(block) {
			for _, w := range s.words(block[:], i, k, stride) {
				if w == last && values != nil || slices.Contains(values, w) {
					continue
				}
				if len(values) == fewValues {
					return nil
				}
				values, last = append(values, w), w
			}
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
