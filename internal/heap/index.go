package heap

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// ObjID numbers the objects of a dump densely by address: the object with the
// lowest address is 1. The zero ObjID stands for null and for what is not there.
type ObjID uint32

const (
	pageSlots = 1 << 12 // slots in a page
	pageWords = pageSlots / 64
	// maxDirectory bounds the flat table of pages: 64 Mi pages of 32 KiB cover
	// 2 TiB of addresses at 8 bytes a slot. maxSpread is how many entries it may have
	// for each page that there is.
	maxDirectory = 64 << 20
	maxSpread    = 128
)

// pageBits are the slots of a page, two words for each 64 of them: a bit for each object,
// and how many objects lie before.
type pageBits = [2 * pageWords]uint64

type page struct {
	number uint64 // slot / pageSlots
	words  *pageBits
}

// slabPages is how many pages memory is taken for at once.
const slabPages = 512

// index maps addresses to ObjIDs without sorting them: one bit per slot of
// 1<<shift bytes, plus counts. Its memory is 1/32 of the address space that has
// objects (at 8-byte slots), 32 KiB at a time, whatever their number.
//
// Marking is safe from several goroutines through markers; after freeze the index
// is read-only.
type index struct {
	shift  uint
	memory *offheap.Memory
	pages  *pageTable // nil where there is a directory
	mu     sync.Mutex // of who adds pages
	slabs  []offheap.Array[uint64]
	left   []uint64 // of the last slab

	// Since freeze:
	sorted    []page      // by number
	first     uint64      // number of sorted[0]
	directory []*pageBits // directory[n-first]; nil where the range is too wide
	count     uint64
	used      uint64 // the slots of any word
}

func newIndex(m *offheap.Memory, shift uint) *index {
	return &index{shift: shift, memory: m, pages: newPageTable()}
}

// free gives the memory back; no object is found then.
func (x *index) free() {
	for i := range x.slabs {
		x.slabs[i].Free()
	}
	*x = index{shift: x.shift, directory: []*pageBits{}}
}

// marker marks objects; it remembers the last page, and collects the bits of the
// last word, as neighbours come one after the other. One goroutine each; flush ends
// its work.
type marker struct {
	x    *index
	last page
	word uint64 // slot / 64
	bits uint64 // of that word, not yet in the page
	err  error  // there was no memory for a page
}

// mark notes that an object begins at address.
func (m *marker) mark(address uint64) {
	slot := address >> m.x.shift
	if word := slot / 64; word != m.word || m.last.words == nil {
		m.add()
		m.word = word
		if number := slot / pageSlots; m.last.words == nil || m.last.number != number {
			m.last = m.page(number)
		}
	}
	m.bits |= 1 << (slot % 64)
}

// add hands over the bits collected.
func (m *marker) add() {
	if m.bits != 0 {
		atomic.OrUint64(&m.last.words[m.word%pageWords*2], m.bits)
		m.bits = 0
	}
}

// flush hands over the last bits. Errors: no memory for all that was marked.
func (m *marker) flush() error {
	m.add()
	return m.err
}

// page returns the page of that number, one that is in no index where there is no memory.
func (m *marker) page(number uint64) page {
	words, err := m.x.page(number)
	if err != nil {
		m.err, words = err, new(pageBits)
	}
	return page{number, words}
}

// page returns the page of that number, made if need be. Errors: no memory.
func (x *index) page(number uint64) (*pageBits, error) {
	if p := x.pages.find(number); p != nil {
		return p, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.pages.find(number); p != nil {
		return p, nil
	}
	if len(x.left) == 0 {
		slab, err := offheap.Make[uint64](x.memory, slabPages*len(pageBits{}))
		if err != nil {
			return nil, err
		}
		slab.Populate()
		x.slabs, x.left = append(x.slabs, slab), slab.Items
	}
	p := (*pageBits)(x.left)
	x.left = x.left[len(p):]
	x.pages.add(number, p)
	return p, nil
}

// freeze counts the objects and makes id and address usable.
func (x *index) freeze() {
	x.sorted, x.left = x.pages.all(), nil
	slices.SortFunc(x.sorted, func(a, b page) int {
		return cmp.Compare(a.number, b.number)
	})
	for _, p := range x.sorted {
		for i := 0; i < len(p.words); i += 2 {
			p.words[i+1] = x.count
			x.used |= p.words[i]
			x.count += uint64(bits.OnesCount64(p.words[i]))
		}
	}
	if len(x.sorted) == 0 {
		return
	}
	x.first = x.sorted[0].number
	if span := x.sorted[len(x.sorted)-1].number - x.first + 1; span <= maxDirectory && span <= maxSpread*uint64(len(x.sorted))+1024 {
		x.directory = make([]*pageBits, span)
		for _, p := range x.sorted {
			x.directory[p.number-x.first] = p.words
		}
		x.pages = nil
	}
}

// alignment returns the greatest power of two that all addresses are multiples of, at most the bytes of a word.
func (x *index) alignment() int {
	slots := 64
	for i := x.used; i != 0; i &= i - 1 {
		slots |= bits.TrailingZeros64(i)
	}
	return slots & -slots << x.shift
}

// id returns the object that begins at address, 0 if there is none.
func (x *index) id(address uint64) ObjID {
	slot := address >> x.shift
	at := slot/pageSlots - x.first
	var p *pageBits
	if x.directory == nil {
		p = x.pages.find(slot / pageSlots)
	} else if at < uint64(len(x.directory)) {
		p = x.directory[at]
	}
	if p == nil {
		return 0
	}
	i, bit := slot%pageSlots/64*2, uint64(1)<<(slot%64)
	if p[i]&bit == 0 || address&(1<<x.shift-1) != 0 {
		return 0
	}
	return ObjID(p[i+1] + uint64(bits.OnesCount64(p[i]&(bit-1))) + 1)
}

// ids replaces addresses by the objects that begin there, 0 where none does. The lookups
// do not wait for each other.
func (x *index) ids(of []uint64) {
	if x.directory == nil {
		for i, address := range of {
			of[i] = uint64(x.id(address))
		}
		return
	}
	directory, first, shift := x.directory, x.first, x.shift&63
	odd := uint64(1)<<shift - 1
	for i, address := range of {
		of[i] = 0
		slot := address >> shift
		at := slot/pageSlots - first
		if at >= uint64(len(directory)) || directory[at] == nil {
			continue
		}
		w := directory[at][slot%pageSlots/64*2:][:2:2]
		below := uint64(1)<<(slot%64) - 1
		if w[0]&(below+1) != 0 && address&odd == 0 {
			of[i] = w[1] + uint64(bits.OnesCount64(w[0]&below)) + 1
		}
	}
}

// address returns where the object begins, the inverse of id. It costs a binary
// search.
func (x *index) address(id ObjID) uint64 {
	if id == 0 || uint64(id) > x.count {
		return 0
	}
	rank := uint64(id) - 1
	p := x.sorted[x.pageOf(rank)]
	return x.nth(p, p.wordOf(rank, 0), rank)
}

// addresses is address for many objects in order, which mostly lie one near the other.
func (x *index) addresses(ids []ObjID) []uint64 {
	const near = 4 // words on which a search is not worth while
	all := make([]uint64, 0, len(ids))
	var p page
	var end uint64 // of the ranks in p
	word := 0
	for _, id := range ids {
		if id == 0 || uint64(id) > x.count {
			continue
		}
		rank := uint64(id) - 1
		if rank >= end {
			i := x.pageOf(rank)
			p, word, end = x.sorted[i], 0, x.count
			if i+1 < len(x.sorted) {
				end = x.sorted[i+1].words[1]
			}
		}
		if last := min(word+near, pageWords-1); p.words[2*last+1] > rank {
			for p.words[2*word+3] <= rank {
				word++
			}
		} else {
			word = p.wordOf(rank, last)
		}
		all = append(all, x.nth(p, word, rank))
	}
	return all
}

// pageOf returns the place of the page that the object of a rank lies in, counted from 0.
func (x *index) pageOf(rank uint64) int {
	return sort.Search(len(x.sorted), func(i int) bool { return x.sorted[i].words[1] > rank }) - 1
}

// wordOf returns the word that the object of a rank lies in, from a word on.
func (p *page) wordOf(rank uint64, from int) int {
	return from + sort.Search(pageWords-from, func(j int) bool { return p.words[2*(from+j)+1] > rank }) - 1
}

// nth returns the address of the object of a rank, which lies in a word of the page.
func (x *index) nth(p page, word int, rank uint64) uint64 {
	b := p.words[2*word]
	for range rank - p.words[2*word+1] {
		b &= b - 1
	}
	slot := p.number*pageSlots + uint64(word)*64 + uint64(bits.TrailingZeros64(b))
	return slot << x.shift
}
