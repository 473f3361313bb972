package edges

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// degrees tells nodes with no, one and more predecessors apart: two bits a node, 0, 1
// or 2.
type degrees struct{ words offheap.Array[uint64] }

func newDegrees(m *offheap.Memory, n int) (degrees, error) {
	words, err := offheap.Make[uint64](m, n/64*2+2)
	return degrees{words}, err
}

// count counts a reference to v in the words of degrees. It takes no branch: whether v
// has two already is known late, as its word comes from memory.
func count(words []uint64, v uint32) {
	word, shift := &words[v/32], v%32*2
	*word += (^(*word >> shift) >> 1 & 1) << shift
}

// join adds what was counted elsewhere.
func (d *degrees) join(other *degrees) {
	const low = 0x5555555555555555
	for i, b := range other.words.Items {
		a := d.words.Items[i]
		two := (a | b) >> 1 & low // one of them has two already
		two |= a & b & low        // both have one
		d.words.Items[i] = two<<1 | (a^b)&low&^two
	}
}

// Predecessors tells which of the nodes 64i to 64i+63 are the successor of no node,
// and which of exactly one, once: bit k stands for node 64i+k.
func (g *Graph) Predecessors(i int) (none, one uint64) {
	a, b := g.degrees[0].words.Items[2*i], g.degrees[0].words.Items[2*i+1]
	return lower(^(a | a>>1)) | lower(^(b|b>>1))<<32, lower(a&^(a>>1)) | lower(b&^(b>>1))<<32
}

// lower returns the lower one of each pair of bits of x.
func lower(x uint64) uint64 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return (x | x>>16) & 0xffffffff
}
