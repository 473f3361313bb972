// Package edges stores the references of all objects compactly: the successors
// of a node as differences in a variable number of bytes, the nodes in blocks of
// sixteen. It knows only numbers.
package edges

import (
	"encoding/binary"
	"math/bits"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// blockNodes is how many nodes share one entry of the directory.
const blockNodes = 16

// Graph holds the successors of the nodes 1 to n-1. It is frozen: any number of
// goroutines may read it.
//
// The successors of a node are a run of bytes: for each one the zigzag-coded
// 32-bit difference to the one before it (to the node itself for the first), 7 bits
// a byte, lowest first, the high bit set on all but the last byte. A zero byte ends
// the run; no difference is zero, as self-references and immediate repetitions are
// left out, so no other byte of a run is zero.
type Graph struct {
	blob offheap.Array[uint8]
	// directory tells of the nodes 16b to 16b+15 where their runs are, one after the
	// other: see entry. With the bit scattered it is the number of a row. 0 means that
	// no node of the block has successors.
	directory offheap.Array[uint64]
	rows      *rows
	// degrees is what the writers have counted: first each for itself, the first one's
	// is the sum once all are closed.
	degrees []Degrees
	// successors is how many there are in all.
	successors uint64
}

const scattered = 1 << 63

// The runs of a block begin at the place in the lowest placeBits of its entry. Above are
// the lengths of the first, second and third four of them, lengthBits each, so that few
// are to be walked over to find one; all 0 where one is longer than that.
const (
	placeBits  = 40
	lengthBits = 7
	groupNodes = 4
	maxLength  = 1<<lengthBits - 1
)

// entry returns the entry of a block whose runs begin at those places.
func entry(places *[blockNodes]uint64) uint64 {
	e := places[0]
	for i := groupNodes; i < blockNodes; i += groupNodes {
		length := places[i] - places[i-groupNodes]
		if length > maxLength {
			return places[0]
		}
		e |= length << (placeBits + lengthBits*(i/groupNodes-1))
	}
	return e
}

// near returns, of entry e, the last known place before the run of the i-th node, and
// how many runs lie between.
func near(e uint64, i uint32) (at uint64, runs int) {
	at = e & (1<<placeBits - 1)
	lengths := e >> placeBits & (1<<(i/groupNodes*lengthBits) - 1)
	if lengths == 0 {
		return at, int(i)
	}
	return at + lengths&maxLength + lengths>>lengthBits&maxLength + lengths>>(2*lengthBits), int(i % groupNodes)
}

// Run is a position in the successors of a node.
type Run struct {
	at   uint64
	last uint32
}

// From returns the successors of v.
func (g *Graph) From(v uint32) Run {
	d := g.directory.Items[v/blockNodes]
	if d == 0 {
		return Run{last: v} // blob[0] is the end of a run
	}
	if d&scattered != 0 {
		return Run{at: g.rows.of(d)[v%blockNodes], last: v}
	}
	at, runs := near(d, v%blockNodes)
	return Run{at: g.behind(at, runs), last: v}
}

// behind returns where the n-th run after the one at a place begins: behind the n-th
// zero byte, looked for in eight bytes at a time.
func (g *Graph) behind(at uint64, n int) uint64 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	for n > 0 {
		x := binary.LittleEndian.Uint64(g.blob.Items[at : at+8 : at+8])
		zeros := ^((x&low7 + low7) | x | low7) // 0x80 in each byte that was zero
		if k := bits.OnesCount64(zeros); k < n {
			n, at = n-k, at+8
			continue
		}
		for range n - 1 {
			zeros &= zeros - 1
		}
		return at + uint64(bits.TrailingZeros64(zeros))/8 + 1
	}
	return at
}

// Next returns the next successor; ok is false after the last one. Numbers from
// a Writer only ever name nodes of the graph.
func (g *Graph) Next(r *Run) (v uint32, ok bool) {
	b := g.blob.Items[r.at]
	if b == 0 {
		return 0, false
	}
	r.at++
	delta := uint64(b & 0x7f)
	for shift := 7; b >= 0x80; shift += 7 {
		b = g.blob.Items[r.at]
		r.at++
		delta |= uint64(b&0x7f) << shift
	}
	r.last += uint32(delta>>1) ^ -uint32(delta&1)
	return r.last, true
}

// Successors returns how many successors all nodes have together.
func (g *Graph) Successors() uint64 { return g.successors }

// TakeDegrees hands over how many predecessors the nodes have, once.
func (g *Graph) TakeDegrees() Degrees {
	d := g.degrees[0]
	g.degrees = nil
	return d
}

// At returns where the successors left of r are, less than the bytes that all of them take.
func (r Run) At() uint64 { return r.at }

// RunAt returns the successors of v, which From has found at a place.
func (g *Graph) RunAt(at uint64, v uint32) Run { return Run{at: at, last: v} }

// PrefetchAt has what is at a place fetched from memory.
func (g *Graph) PrefetchAt(at uint64) { g.blob.Prefetch(at) }

// Prefetch has the place of v's successors fetched from memory.
func (g *Graph) Prefetch(v uint32) { g.directory.Prefetch(uint64(v / blockNodes)) }

// PrefetchRun has v's successors fetched from memory.
func (g *Graph) PrefetchRun(v uint32) {
	if d := g.directory.Items[v/blockNodes]; d&scattered == 0 {
		at, _ := near(d, v%blockNodes)
		g.blob.Prefetch(at)
	}
}

// Done says whether r has no successor left.
func (g *Graph) Done(r Run) bool { return g.blob.Items[r.at] == 0 }

// Cursor finds the runs of nodes that are asked for in ascending order faster than
// From does. One goroutine each.
type Cursor struct {
	g    *Graph
	at   uint64
	node uint32
}

// Cursor returns a cursor over the graph.
func (g *Graph) Cursor() Cursor { return Cursor{g: g, node: ^uint32(0) - 1} }

// From returns the successors of v.
func (c *Cursor) From(v uint32) Run {
	if v == c.node+1 && v%blockNodes != 0 && c.g.directory.Items[v/blockNodes]&scattered == 0 && c.at != 0 {
		blob := c.g.blob.Items
		for blob[c.at] != 0 {
			c.at++
		}
		c.at++
		c.node = v
		return Run{at: c.at, last: v}
	}
	r := c.g.From(v)
	c.at, c.node = r.at, v
	return r
}

// Free gives the memory back.
func (g *Graph) Free() {
	g.blob.Free()
	g.directory.Free()
	for i := range g.degrees {
		g.degrees[i].Free()
	}
	g.rows.items.Free()
}
