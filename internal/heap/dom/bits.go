package dom

import (
	"math/bits"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// bitset is a set of nodes, one bit each.
type bitset struct{ words offheap.Array[uint64] }

func newBitset(m *offheap.Memory, last uint32) (bitset, error) {
	words, err := offheap.Make[uint64](m, int(last)/64+1)
	words.Populate()
	return bitset{words}, err
}

func (b *bitset) has(v uint32) bool   { return b.words.Items[v/64]&(1<<(v%64)) != 0 }
func (b *bitset) bit(v uint32) uint64 { return b.words.Items[v/64] >> (v % 64) & 1 }
func (b *bitset) set(v uint32)        { b.words.Items[v/64] |= 1 << (v % 64) }
func (b *bitset) clear(v uint32)      { b.words.Items[v/64] &^= 1 << (v % 64) }
func (b *bitset) clear64(i uint64)    { b.words.Items[i/64] &^= 1 << (i % 64) }
func (b *bitset) has64(i uint64) bool { return b.words.Items[i/64]&(1<<(i%64)) != 0 }
func (b *bitset) set64(i uint64)      { b.words.Items[i/64] |= 1 << (i % 64) }
func (b *bitset) free()               { b.words.Free() }

// join writes while others may write, too.
func (b *bitset) join(v uint32) { atomic.OrUint64(&b.words.Items[v/64], 1<<(v%64)) }

// gatherer joins members that come one near the other, a word at a time: others may write to the
// set at the same time, but asking for a word for each takes longer than what is done with most.
// One goroutine each; flush ends its work.
type gatherer struct {
	set  *bitset
	at   uint32 // of the word
	bits uint64 // of it, not in the set yet
}

func (g *gatherer) join(v uint32) {
	if v/64 != g.at {
		g.flush()
		g.at = v / 64
	}
	g.bits |= 1 << (v % 64)
}

func (g *gatherer) flush() {
	if g.bits != 0 {
		atomic.OrUint64(&g.set.words.Items[g.at], g.bits)
		g.bits = 0
	}
}

// core is the set of the nodes that are not peeled. It knows the place of each
// member among them, in order; members and counts lie side by side, as they are
// always needed together. Where at least half of the nodes are members, the place of each is
// its number, which nothing has to be looked up for.
type core struct {
	words offheap.Array[uint64] // for 64 nodes each: the members, and how many lie before
	count uint32
	span  uint32 // all places are less
	whole bool   // places are numbers of nodes
}

// half is how many nodes there may be to one of the core for it to be whole: it then takes
// less than twice the memory for its places.
const half = 2

// newCore returns all nodes up to last but 0 and those in off.
func newCore(m *offheap.Memory, off *bitset, last uint32) (c core, err error) {
	n := len(off.words.Items)
	if c.words, err = offheap.Make[uint64](m, 2*n); err != nil {
		return c, err
	}
	for i, w := range off.words.Items {
		members := ^w
		if i == 0 {
			members &^= 1
		}
		if i == n-1 {
			members &= 1<<(last%64+1) - 1
		}
		c.words.Items[2*i], c.words.Items[2*i+1] = members, uint64(c.count)
		c.count += uint32(bits.OnesCount64(members))
	}
	if c.span = c.count; c.count >= last/half {
		c.span, c.whole = last+1, true
	}
	return c, nil
}

// place returns the place of v, and whether it is a member.
func (c *core) place(v uint32) (place uint32, ok bool) {
	if c.whole {
		return v, c.has(v)
	}
	return c.among(v)
}

// at returns the place of a member v that nth others come before.
func (c *core) at(v, nth uint32) uint32 {
	if c.whole {
		return v
	}
	return nth
}

// guess is place for whoever knows that v is a member, or does without knowing.
func (c *core) guess(v uint32) (place uint32) {
	if c.whole {
		return v
	}
	place, _ = c.among(v)
	return place
}

// among returns how many members lie before v, and whether it is one.
func (c *core) among(v uint32) (before uint32, ok bool) {
	i, bit := v/64*2, uint64(1)<<(v%64)
	w := c.words.Items[i : i+2 : i+2]
	return uint32(w[1]) + uint32(bits.OnesCount64(w[0]&(bit-1))), w[0]&bit != 0
}

// members yields the core nodes from, ..., to-1 in their order, and how many come before each;
// from is a multiple of 64.
func (c *core) members(from, to uint32) func(yield func(v, nth uint32) bool) {
	return func(yield func(v, nth uint32) bool) {
		for i := from / 64; 64*i < to; i++ {
			nth := uint32(c.words.Items[2*i+1])
			for w := c.words.Items[2*i]; w != 0; w &= w - 1 {
				if v := 64*i + uint32(bits.TrailingZeros64(w)); v >= to || !yield(v, nth) {
					return
				}
				nth++
			}
		}
	}
}

// without leaves of some nodes those that are no members. No branch depends on what only
// memory can tell, so the processor asks for all at once.
func (c *core) without(nodes []uint32) []uint32 {
	n := 0
	for _, v := range nodes {
		nodes[n] = v
		n += int(^c.words.Items[v/64*2] >> (v % 64) & 1)
	}
	return nodes[:n]
}

func (c *core) has(v uint32) bool { return c.words.Items[v/64*2]&(1<<(v%64)) != 0 }
func (c *core) free()             { c.words.Free() }
