package edges

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// degrees tells nodes with no, one and more predecessors apart: two bits a node, 0, 1
// or 2.
type degrees struct{ words offheap.Array[uint64] }

func newDegrees(m *offheap.Memory, n int) (degrees, error) {
	words, err := offheap.Make[uint64](m, n/32 + 1)
	return degrees{words}, err
}

// add counts a reference to v.
func (d *degrees) add(v uint32) {
	word, shift := &d.words.Items[v/32], v%32*2
	if *word>>shift&2 == 0 {
		*word += 1 << shift
	}
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

// OnePredecessor says whether v is the successor of exactly one node, once.
func (g *Graph) OnePredecessor(v uint32) bool {
	return g.degrees[0].words.Items[v/32]>>(v%32*2)&3 == 1
}
