package edges

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

const (
	// chunkBytes is how much of the blob a Writer takes at once.
	chunkBytes = 256 << 10
	// bigRun is how many bytes a run must need to get a place of its own where the chunk has not that
	// many: what is left of a chunk that is given up is less.
	bigRun = chunkBytes / 8
)

// ErrChanged is returned when more successors come than were announced, or the dump ends before where it did:
// it was changed between two passes over it.
var ErrChanged = errors.New("the dump changed while it was read")

// Builder makes a Graph from the runs that several Writers write.
type Builder struct {
	graph   *Graph
	next    atomic.Uint64 // first byte of the blob that no Writer has taken
	writers int           // how many there are
	longest uint64        // bytes of the longest code: that of a difference between nodes
}

// NewBuilder returns a builder for n nodes with at most bound successors in all, and
// for so many writers; m is what its arrays are made from.
// Address space is kept for the worst case, memory taken only as runs are written.
func NewBuilder(m *offheap.Memory, n int, bound uint64, writers int) (*Builder, error) {
	g := &Graph{rows: &rows{}}
	longest := uint64(bits.Len64(2*uint64(n))+6) / 7
	// Each node has an end, each chunk a rest of less than bigRun that the next run did not fit
	// into. Eight bytes are read at a time, so some lie behind the last run.
	runs := longest*bound + uint64(n)
	size := 8 + runs + runs/4 + uint64(writers+2)*chunkBytes
	if size > 1<<placeBits {
		return nil, fmt.Errorf("up to %d references: more than this version can hold", bound)
	}
	var err error
	if g.directory, err = offheap.Make[uint64](m, n/blockNodes+2); err != nil {
		return nil, err
	}
	if g.rows, err = newRows(m, len(g.directory.Items), writers); err != nil {
		g.Free()
		return nil, err
	}
	for range writers {
		d, err := newDegrees(m, n)
		if err != nil {
			g.Free()
			return nil, err
		}
		g.degrees = append(g.degrees, d)
	}
	b := &Builder{graph: g, longest: longest}
	if g.blob, err = offheap.Reserve[uint8](m, int(size)); err != nil {
		g.Free()
		return nil, err
	}
	b.next.Store(1) // blob[0] is an end: that of nodes never written
	return b, nil
}

// Populate takes the memory at once that all nodes have a part in.
func (b *Builder) Populate() { b.graph.directory.Populate() }

// Size returns how many bytes of address space the runs have.
func (b *Builder) Size() int64 { return int64(len(b.graph.blob.Items)) }

// Used returns how many of those the Writers have taken.
func (b *Builder) Used() int64 { return int64(b.next.Load()) }

// Scattered returns how many bytes tell of nodes that were not written in order.
func (b *Builder) Scattered() int64 { return rowBytes * int64(b.graph.rows.used.Load()) }

// Longest returns how many bytes a successor takes at most.
func (b *Builder) Longest() int64 { return int64(b.longest) }

// Freeze returns the graph. All Writers must have been closed.
func (b *Builder) Freeze() *Graph { return b.graph }

// Writer writes runs for one goroutine. For each node: Begin, Add for each
// successor, End. Nodes written in the order of their numbers take the least memory.
type Writer struct {
	b       *Builder
	blob    []uint8
	at, end uint64                   // what is left of the chunk, or of a big run's place
	kept    struct{ at, end uint64 } // what is left of the chunk meanwhile; 0, 0 if there is none
	node    uint32
	last    uint32
	start   uint64
	added   uint64 // successors so far
	degrees *Degrees
	spare   uint64 // a row that no block has, 0 for none

	// The block being written: count nodes from first on are at places.
	block  uint32
	count  int
	places [blockNodes]uint64
}

// NewWriter returns the next writer.
func (b *Builder) NewWriter() *Writer {
	b.writers++
	return &Writer{b: b, blob: b.graph.blob.Items, block: ^uint32(0), degrees: &b.graph.degrees[b.writers-1]}
}

// Populate takes the memory at once that the successors of all nodes have a part in.
func (w *Writer) Populate() { w.degrees.words.Populate() }

// Begin starts the run of a node with at most n successors.
func (w *Writer) Begin(node uint32, n int) error {
	need := uint64(n)*w.b.longest + 1 + 8 // eight bytes are written at a time
	if w.end-w.at < need {
		w.flush() // a block is written as a whole only within one chunk
		if err := w.makeRoom(need); err != nil {
			return err
		}
	}
	if block := node / blockNodes; block != w.block || uint32(w.count) != node%blockNodes {
		w.flush()
		w.block = block
		if node%blockNodes == 0 {
			w.count = 0
		} else {
			w.count = -1 // began in the middle: scattered
		}
	}
	w.node, w.last, w.start = node, node, w.at
	return nil
}

// makeRoom finds room for a run that needs so many bytes, which are not left.
func (w *Writer) makeRoom(need uint64) error {
	size := need
	switch {
	case need <= bigRun:
		w.at, w.end = w.kept.at, w.kept.end
		w.kept.at, w.kept.end = 0, 0
		if w.end-w.at >= need {
			return nil
		}
		size = chunkBytes
	case w.kept.end == 0:
		w.kept.at, w.kept.end = w.at, w.end
	}
	w.end = w.b.next.Add(size)
	w.at = w.end - size
	if w.end > uint64(len(w.blob)) {
		w.at, w.end = 0, 0
		return ErrChanged
	}
	return nil
}

// Prefetch has fetched from memory what AddAll will count successors in.
func (w *Writer) Prefetch(successors []uint64) {
	for _, v := range successors {
		w.degrees.words.Prefetch(v / degreesWord)
	}
}

// Add appends a successor, a node of the graph; 0 is none.
func (w *Writer) Add(v uint32) { w.AddAll([]uint64{uint64(v)}) }

// AddAll appends successors, nodes of the graph, in their order; zeros among them are
// none.
func (w *Writer) AddAll(successors []uint64) {
	const all7 = 0x80808080_80808080
	blob, at, last, degrees := w.blob, w.at, w.last, w.degrees.words.Items
	for _, s := range successors {
		v := uint32(s)
		if v == last || v == 0 {
			continue
		}
		count(degrees, v)
		w.added++
		// Differences of 33 bits wrap around in 32: the sum is taken in 32 bits too.
		d := int32(v - last)
		last = v
		x := uint64(uint32(d<<1) ^ uint32(d>>31))
		// Seven bits a byte, all bytes at once: how many there are follows no rule that
		// a processor could learn.
		n := uint(bits.Len64(x)+6) / 7
		x = x&0x7f | x<<1&0x7f00 | x<<2&0x7f0000 | x<<3&0x7f000000 | x<<4&0x7f00000000
		x |= all7 & (1<<(8*n-8) - 1)
		binary.LittleEndian.PutUint64(blob[at:at+8:at+8], x)
		at += uint64(n)
	}
	w.at, w.last = at, last
}

// Run writes the run of a node as a whole: first, unless it is 0, and the others but for
// zeros.
func (w *Writer) Run(node, first uint32, others []uint64) error {
	if err := w.Begin(node, len(others)+1); err != nil {
		return err
	}
	if first != 0 {
		w.Add(first)
	}
	w.AddAll(others)
	w.End()
	return nil
}

// End ends the run.
func (w *Writer) End() {
	w.blob[w.at] = 0
	w.at++
	if w.count < 0 {
		if w.at > w.start+1 {
			w.scatter(w.block, w.node%blockNodes, w.start)
		} else {
			w.at = w.start // nothing to say: what was never written has no successors
		}
		return
	}
	w.places[w.count] = w.start
	if w.count++; w.count == blockNodes {
		atomic.StoreUint64(&w.b.graph.directory.Items[w.block], entry(&w.places))
		w.block, w.count = ^uint32(0), 0
	}
}

// Added returns how many successors were written.
func (w *Writer) Added() int64 { return int64(w.added) }

// Close ends the writer's work. Writers are closed one after the other, when all have
// written.
func (w *Writer) Close() {
	w.flush()
	g := w.b.graph
	g.successors += w.added
	if sum := &g.degrees[0]; w.degrees != sum {
		sum.join(w.degrees)
		w.degrees.Free()
	}
}

// flush gives up the block being written: its nodes so far are placed one by one.
func (w *Writer) flush() {
	if w.count > 0 {
		for i, at := range w.places[:w.count] {
			if w.blob[at] != 0 {
				w.scatter(w.block, uint32(i), at)
			}
		}
	}
	w.block, w.count = ^uint32(0), 0
}
