package heap

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
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
	// Examples are some of them, at least the first one.
	Examples []ObjID
}

const (
	// maxCompared is how many bytes of content an array may have to be compared.
	maxCompared = 8 << 10
	// maxCopyGroups bounds the groups that are told.
	maxCopyGroups = 200
	// maxExamples bounds the examples of a group.
	maxExamples = 16
	// contentBuckets is how many parts the hashes are split into, so that the table
	// of a part stays in the cache.
	contentBuckets = 1 << 8
)

// contents are the hashes of contents with their arrays, by the hash's upper byte: the
// hash in the upper half, the ObjID in the lower one. One goroutine each.
type contents struct {
	buckets [contentBuckets]offheap.List[uint64]
	// lines are the last of each bucket: 256 places to write to are more than a processor has page
	// tables at hand for, these are in its nearest cache.
	lines  [contentBuckets][lineItems]uint64
	filled [contentBuckets]uint8 // of lines
}

// lineItems is how many fill a line of a processor's cache.
const lineItems = 8

// add notes the content of an array. Errors: no memory.
func (c *contents) add(m *offheap.Memory, o ObjID, elem hprof.Type, body []byte) error {
	h := hashOf(body, uint64(elem))
	i := h >> 24
	c.lines[i][c.filled[i]%lineItems] = uint64(h)<<32 | uint64(o)
	if c.filled[i]++; c.filled[i] < lineItems {
		return nil
	}
	return c.flush(m, int(i))
}

// flush moves the last ones of a bucket to the others. Errors: no memory.
func (c *contents) flush(m *offheap.Memory, bucket int) error {
	line := c.lines[bucket][:c.filled[bucket]]
	c.filled[bucket] = 0
	return c.buckets[bucket].AppendAll(m, line)
}

func (c *contents) free() {
	for i := range c.buckets {
		c.buckets[i].Free()
	}
}

// foldFactor is a factor to fold with, half of whose bits are set.
const foldFactor = 0xe7037ed1a0b428db

// fold mixes two numbers by a wide multiplication.
//
// Source: github.com/wangyi-fudan/wyhash, "folded multiply".
func fold(x, y uint64) uint64 {
	high, low := bits.Mul64(x, y)
	return high ^ low
}

// hashOf folds 8 bytes at a time, as wyhash does.
func hashOf(b []byte, seed uint64) uint32 {
	const k0, k1 = 0xa0761d6478bd642f, foldFactor
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
// contents a hundred fall together with another one. Errors: that of ctx; no
// memory.
func (g *Graph) copiesOf(ctx context.Context, workers []*contents) (Copies, error) {
	var found []*copier
	err := each(ctx, contentBuckets, cores.Workers(), func() func(context.Context, int) error {
		c := &copier{g: g, workers: workers}
		found = append(found, c)
		return func(_ context.Context, bucket int) error { return c.bucket(bucket) }
	})
	var all Copies
	for _, c := range found {
		all.Arrays += c.Arrays
		all.Distinct += c.Distinct
		all.WastedBytes += c.WastedBytes
		all.Groups = append(all.Groups, c.Groups...)
	}
	all.trim()
	return all, err
}

// copier groups the contents of some buckets. One goroutine each.
type copier struct {
	Copies
	g       *Graph
	workers []*contents
	table   contentTable
	floor   int64 // what a group must waste to be among the biggest
}

// bucket groups those of one bucket, and frees what was noted of them. Errors: no memory.
func (c *copier) bucket(i int) error {
	n := 0
	for _, w := range c.workers {
		if err := w.flush(c.g.memory, i); err != nil {
			return err
		}
		n += w.buckets[i].Len()
	}
	c.table.reset(n)
	c.noted(i, c.table.count)
	c.Arrays += int64(n)
	if c.take(c.g, &c.table, c.floor) {
		c.noted(i, func(hash uint32, o ObjID) { c.table.sample(c.Groups, hash, o) })
	}
	for _, w := range c.workers {
		w.buckets[i].Free()
	}
	if len(c.Groups) > 4*maxCopyGroups {
		c.trim()
		c.floor = c.Groups[len(c.Groups)-1].WastedBytes
	}
	return nil
}

// noted calls fn for what was noted in a bucket.
func (c *copier) noted(bucket int, fn func(hash uint32, o ObjID)) {
	for _, w := range c.workers {
		for i := range w.buckets[bucket].Len() {
			r := w.buckets[bucket].At(i)
			fn(uint32(r>>32), ObjID(r))
		}
	}
}

// take adds the contents of a table that there are several arrays of, and says whether
// some of them want more examples.
func (c *Copies) take(g *Graph, t *contentTable, floor int64) (sample bool) {
	for i := range t.slots {
		s := &t.slots[i]
		if s.count == 0 {
			continue
		}
		c.Distinct++
		if s.count == 1 {
			continue
		}
		wasted := int64(s.count-1) * g.ShallowBytes(s.example)
		c.WastedBytes += wasted
		if wasted < floor {
			continue
		}
		c.Groups = append(c.Groups, CopyGroup{Count: int64(s.count), WastedBytes: wasted, Examples: []ObjID{s.example}})
		if s.count >= maxExamples*maxExamples {
			s.group, sample = uint32(len(c.Groups)), true
		}
	}
	return sample
}

// trim keeps the biggest groups.
func (c *Copies) trim() {
	slices.SortFunc(c.Groups, func(a, b CopyGroup) int {
		return cmp.Or(cmp.Compare(b.WastedBytes, a.WastedBytes), cmp.Compare(a.Examples[0], b.Examples[0]))
	})
	c.Groups = c.Groups[:min(len(c.Groups), maxCopyGroups)]
}

// contentTable counts the arrays of each hash: open addressing, linear probing, at most
// half full. It grows with the hashes, not the arrays: three million of one content are one
// hash, and a table with room for as many had 128 MiB.
type contentTable struct {
	slots []contentSlot
	mask  uint32
	used  int
}

// fewSlots are those of a table that has not grown, however many arrays there are: 1 MiB.
const fewSlots = 1 << 16

type contentSlot struct {
	hash, count uint32
	example     ObjID  // the first one
	group       uint32 // index of the group that wants more examples, plus 1; 0 for none
}

// reset empties the table, which n arrays are to be counted in.
func (t *contentTable) reset(n int) {
	size := min(1<<bits.Len(uint(2*n)), max(fewSlots, cap(t.slots)))
	if size > cap(t.slots) {
		t.slots = make([]contentSlot, size)
	}
	t.slots, t.mask, t.used = t.slots[:size], uint32(size-1), 0
	clear(t.slots)
}

// grow doubles the table.
func (t *contentTable) grow() {
	old := t.slots
	t.slots = make([]contentSlot, 2*len(old))
	t.mask = uint32(len(t.slots) - 1)
	for i := range old {
		if old[i].count != 0 {
			*t.slot(old[i].hash) = old[i]
		}
	}
}

// slot returns the slot of a hash.
func (t *contentTable) slot(hash uint32) *contentSlot {
	i := hash & t.mask
	for t.slots[i].count != 0 && t.slots[i].hash != hash {
		i = (i + 1) & t.mask
	}
	return &t.slots[i]
}

// count counts one array.
func (t *contentTable) count(hash uint32, o ObjID) {
	s := t.slot(hash)
	if s.count == 0 {
		if t.used++; 2*t.used > len(t.slots) {
			t.grow()
			s = t.slot(hash)
		}
		s.hash, s.example = hash, o
	}
	s.example = min(s.example, o)
	s.count++
}

// sample makes an array an example of its group if it is among those of the smallest
// scrambled numbers: a choice without preference, and the same one each time.
func (t *contentTable) sample(groups []CopyGroup, hash uint32, o ObjID) {
	s := t.slot(hash)
	if s.group == 0 || o == s.example {
		return
	}
	group := &groups[s.group-1]
	scrambled := func(o ObjID) uint32 { return uint32(o) * 0x9E3779B1 }
	at, _ := slices.BinarySearchFunc(group.Examples[1:], scrambled(o), func(e ObjID, v uint32) int { return cmp.Compare(scrambled(e), v) })
	if at+1 == maxExamples {
		return
	}
	group.Examples = slices.Insert(group.Examples, at+1, o)
	group.Examples = group.Examples[:min(len(group.Examples), maxExamples)]
}
