package edges

import (
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// A block whose nodes were not written one after the other has a row that tells of each of
// them where its run is. Few blocks do where a dump lists objects in the order of their
// addresses, but for those with class objects; nearly all do where it follows references, as
// ZGC and Shenandoah have it.

// rows are where the runs of scattered blocks' nodes begin, 0 for none: blockNodes items each.
type rows struct {
	items offheap.Array[uint64]
	used  atomic.Uint64 // how many were given out; there is none of number 0
}

// rowBytes is what a row takes.
const rowBytes = 8 * blockNodes

// newRows returns rows for so many blocks, of which each writer may lose one. Errors: no memory.
func newRows(m *offheap.Memory, blocks, writers int) (r *rows, err error) {
	r = &rows{}
	r.items, err = offheap.ReservePlain[uint64](m, blockNodes*(1+blocks+writers))
	return r, err
}

// of returns the row of a scattered block, of which d is the directory's entry.
func (r *rows) of(d uint64) []uint64 {
	at := d &^ scattered * blockNodes
	return r.items.Items[at : at+blockNodes : at+blockNodes]
}

// scatter places one node of a block, of which other writers may place others meanwhile. Where the
// block was written as a whole already, which takes a dump that changed between two passes, the node
// is dropped.
func (w *Writer) scatter(block, i uint32, at uint64) {
	g := w.b.graph
	d := &g.directory.Items[block]
	e := atomic.LoadUint64(d)
	if e == 0 {
		if w.spare == 0 {
			w.spare = g.rows.used.Add(1)
		}
		if e = scattered | w.spare; atomic.CompareAndSwapUint64(d, 0, e) {
			w.spare = 0
		} else {
			e = atomic.LoadUint64(d)
		}
	}
	if e&scattered != 0 {
		g.rows.of(e)[i] = at
	}
}
