package edges

import (
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// degrees tells nodes with no, one and more predecessors apart: two bits a node.
type degrees struct{ words offheap.Array[uint64] }

// add counts a reference to v; several goroutines may.
func (d *degrees) add(v uint32) {
	word, shift := &d.words.Items[v/32], v%32*2
	for {
		old := atomic.LoadUint64(word)
		n := old >> shift & 3
		if n >= 2 {
			return
		}
		if atomic.CompareAndSwapUint64(word, old, old+1<<shift) {
			return
		}
	}
}

// OnePredecessor says whether v is the successor of exactly one node, once.
func (g *Graph) OnePredecessor(v uint32) bool {
	return g.degrees.words.Items[v/32]>>(v%32*2)&3 == 1
}
