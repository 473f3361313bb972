package edges

import (
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Degrees are how many predecessors the nodes have: four bits a node, of which mostDegree
// stands for that many and more.
type Degrees struct{ words offheap.Array[uint64] }

const (
	mostDegree  = 15
	degreesWord = 16 // nodes
)

func newDegrees(m *offheap.Memory, n int) (Degrees, error) {
	words, err := offheap.Make[uint64](m, n/64*4+4)
	return Degrees{words}, err
}

// count counts a reference to v in the words of degrees. It takes no branch: whether v
// has the most already is known late, as its word comes from memory.
func count(words []uint64, v uint32) {
	word, shift := &words[v/degreesWord], v%degreesWord*4
	x := *word >> shift
	*word += (^(x & (x >> 1) & (x >> 2) & (x >> 3)) & 1) << shift
}

// join adds what was counted elsewhere.
func (d *Degrees) join(other *Degrees) {
	const low, one = 0x0f0f0f0f0f0f0f0f, 0x0101010101010101
	for i, b := range other.words.Items {
		a := d.words.Items[i]
		even, odd := a&low+b&low, a>>4&low+b>>4&low // every other node, in a byte each
		even |= even >> 4 & one * mostDegree
		odd |= odd >> 4 & one * mostDegree
		d.words.Items[i] = even&low | odd&low<<4
	}
}

// Disown takes a predecessor away from v, and says whether that was the last one. Of a node
// with very many it takes none. Several goroutines may at once.
func (d *Degrees) Disown(v uint32) (last bool) {
	word, shift := &d.words.Items[v/degreesWord], v%degreesWord*4
	if atomic.LoadUint64(word)>>shift&mostDegree == mostDegree {
		return false
	}
	return atomic.AddUint64(word, -(1<<shift))>>shift&mostDegree == 0
}

// Of tells which of the nodes 64i to 64i+63 are the successor of no node, and which of
// exactly one, once: bit k stands for node 64i+k.
func (d *Degrees) Of(i int) (none, one uint64) {
	for k, w := range d.words.Items[4*i : 4*i+4] {
		more := w>>1 | w>>2 | w>>3
		none |= fourth(^(w | more)) << (degreesWord * k)
		one |= fourth(w&^more) << (degreesWord * k)
	}
	return none, one
}

// Free gives the memory back.
func (d *Degrees) Free() { d.words.Free() }

// fourth returns the lowest one of each four bits of x.
func fourth(x uint64) uint64 {
	x &= 0x1111111111111111
	x = (x | x>>3) & 0x0303030303030303
	x = (x | x>>6) & 0x000f000f000f000f
	x = (x | x>>12) & 0x000000ff000000ff
	return (x | x>>24) & 0xffff
}
