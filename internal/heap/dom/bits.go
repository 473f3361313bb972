package dom

import (
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// bitset is a set of nodes, one bit each.
type bitset struct{ words offheap.Array[uint64] }

func newBitset(last uint32) (bitset, error) {
	words, err := offheap.Make[uint64](int(last)/64 + 1)
	return bitset{words}, err
}

func (b *bitset) has(v uint32) bool { return b.words.Items[v/64]&(1<<(v%64)) != 0 }
func (b *bitset) set(v uint32)      { b.words.Items[v/64] |= 1 << (v % 64) }
func (b *bitset) free()             { b.words.Free() }

// share reads while others may write, join writes while others may read or write.
func (b *bitset) share(v uint32) bool {
	return atomic.LoadUint64(&b.words.Items[v/64])&(1<<(v%64)) != 0
}
func (b *bitset) join(v uint32) { atomic.OrUint64(&b.words.Items[v/64], 1<<(v%64)) }
