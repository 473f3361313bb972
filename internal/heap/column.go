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

// newColumn returns the column for the k-th words of the parts' rows, n in all, of stride
// words each. Errors: no memory.
func newColumn(m *offheap.Memory, parts []*rows, k, stride, n int) (c column, err error) {
	if n >= manyRows {
		c.values = distinct(parts, k, stride)
	}
	if c.values != nil {
		c.codes, err = offheap.Make[uint8](m, n)
		return c, err
	}
	c.words, err = offheap.Make[uint32](m, n)
	return c, err
}

// distinct returns the values of the k-th words, nil where they are more than few.
func distinct(parts []*rows, k, stride int) (values []uint32) {
	for _, p := range parts {
		for i := k; i < p.words.Len(); i += stride {
			w := p.words.At(i)
			if n := len(values); n > 0 && values[n-1] == w || slices.Contains(values, w) {
				continue
			}
			if len(values) == fewValues {
				return nil
			}
			values = append(values, w)
		}
	}
	return values
}

// set sets the word of a row, one of those that newColumn was told of.
func (c *column) set(row int, w uint32) {
	if c.values == nil {
		c.words.Items[row] = w
		return
	}
	c.codes.Items[row] = uint8(slices.Index(c.values, w))
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
