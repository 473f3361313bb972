package dom

import (
	"math/bits"
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

// ranked is a set of nodes that knows how many of its members lie before each one.
type ranked struct {
	bitset
	before offheap.Array[uint32] // by word: members in the words before it
	count  uint32
}

// rankUp counts the members; the set must not change afterwards.
func (r *ranked) rankUp() error {
	var err error
	if r.before, err = offheap.Make[uint32](len(r.words.Items)); err != nil {
		return err
	}
	for i, w := range r.words.Items {
		r.before.Items[i] = r.count
		r.count += uint32(bits.OnesCount64(w))
	}
	return nil
}

// rank returns how many members lie before v.
func (r *ranked) rank(v uint32) uint32 {
	w := r.words.Items[v/64] & (1<<(v%64) - 1)
	return r.before.Items[v/64] + uint32(bits.OnesCount64(w))
}

func (r *ranked) free() {
	r.bitset.free()
	r.before.Free()
}
