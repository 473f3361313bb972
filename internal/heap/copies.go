package heap

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Copies tells of byte[] and char[] with the same content, which is what Strings are
// made of.
type Copies struct {
	// Arrays is how many were compared, Distinct how many contents they have.
	Arrays, Distinct int64
	// WastedBytes is what one array of each content would save, without the Strings.
	WastedBytes int64
	// Groups are those contents whose copies waste most, most first.
	Groups []CopyGroup
}

// CopyGroup is a number of arrays of one content.
type CopyGroup struct {
	Count       int64
	WastedBytes int64
	// Example is one of them.
	Example ObjID
}

const (
	// maxCompared is how many bytes of content an array may have to be compared.
	maxCompared = 8 << 10
	// maxCopyGroups bounds the groups that are told.
	maxCopyGroups = 200
	// contentBuckets is how many parts the hashes are split into, so that the table
	// of a part stays in the cache.
	contentBuckets = 1 << 8
)

// contents are the hashes of contents with their arrays, by the hash's upper byte: the
// hash in the upper half, the ObjID in the lower one. One goroutine each.
type contents [contentBuckets][]uint64

// add notes the content of an array.
func (c *contents) add(o ObjID, elem hprof.Type, body []byte) {
	h := hashOf(body, uint64(elem))
	part := &c[h>>24]
	*part = append(*part, uint64(h)<<32|uint64(o))
}

// hashOf mixes 8 bytes at a time by a wide multiplication, as wyhash does.
//
// Source: github.com/wangyi-fudan/wyhash, "folded multiply".
func hashOf(b []byte, seed uint64) uint32 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	fold := func(x, y uint64) uint64 {
		hi, lo := bits.Mul64(x, y)
		return hi ^ lo
	}
	h := fold(seed^k0, uint64(len(b))^k1)
	for ; len(b) >= 8; b = b[8:] {
		h = fold(h^binary.LittleEndian.Uint64(b), k1)
	}
	if len(b) > 0 {
		var tail uint64
		for i, x := range b {
			tail |= uint64(x) << (8 * i)
		}
		h = fold(h^tail, k1)
	}
	return uint32(fold(h, k0))
}

// copiesOf groups what the workers noted. The hash has 32 bits: of a million different
// contents a hundred fall together with another one.
func (g *Graph) copiesOf(workers []*contents) Copies {
	var c Copies
	var t contentTable
	for part := range contentBuckets {
		n := 0
		for _, w := range workers {
			n += len(w[part])
		}
		t.reset(n)
		for _, w := range workers {
			for _, r := range w[part] {
				t.count(uint32(r>>32), ObjID(r))
			}
			w[part] = nil
		}
		c.Arrays += int64(n)
		for _, e := range t.slots {
			if e.count == 0 {
				continue
			}
			c.Distinct++
			if e.count == 1 {
				continue
			}
			wasted := int64(e.count-1) * g.ShallowBytes(e.example)
			c.WastedBytes += wasted
			c.Groups = append(c.Groups, CopyGroup{Count: int64(e.count), WastedBytes: wasted, Example: e.example})
		}
		c.trim(4 * maxCopyGroups)
	}
	c.trim(0)
	return c
}

// trim keeps the biggest groups, if there are more than some.
func (c *Copies) trim(more int) {
	if len(c.Groups) <= more {
		return
	}
	slices.SortFunc(c.Groups, func(a, b CopyGroup) int {
		return cmp.Or(cmp.Compare(b.WastedBytes, a.WastedBytes), cmp.Compare(a.Example, b.Example))
	})
	c.Groups = c.Groups[:min(len(c.Groups), maxCopyGroups)]
}

// contentTable counts the arrays of each hash: open addressing, linear probing, at most
// half full.
type contentTable struct {
	slots []contentSlot
	mask  uint32
}

type contentSlot struct {
	hash, count uint32
	example     ObjID // the first one
}

// reset empties the table and makes room for n hashes.
func (t *contentTable) reset(n int) {
	size := 1 << bits.Len(uint(2*n))
	if size > cap(t.slots) {
		t.slots = make([]contentSlot, size)
	}
	t.slots = t.slots[:size]
	clear(t.slots)
	t.mask = uint32(size - 1)
}

// count counts one array.
func (t *contentTable) count(hash uint32, o ObjID) {
	i := hash & t.mask
	for t.slots[i].count != 0 && t.slots[i].hash != hash {
		i = (i + 1) & t.mask
	}
	s := &t.slots[i]
	if s.count == 0 || o < s.example {
		s.example = o
	}
	s.hash = hash
	s.count++
}
