package heap

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// ObjID numbers the objects of a dump densely by address: the object with the
// lowest address is 1. The zero ObjID stands for null and for what is not there.
type ObjID uint32

const (
	pageSlots = 1 << 15 // slots in a page
	pageWords = pageSlots / 64
	// maxDirectory bounds the flat table of pages: 64 Mi pages of 256 KiB cover
	// 16 TiB of addresses at 8 bytes a slot.
	maxDirectory = 64 << 20
)

// word holds 64 slots: a bit for each object and how many objects lie before.
type word struct {
	bits uint64
	rank uint64
}

type page struct {
	number uint64 // slot >> 15
	words  [pageWords]word
}

// index maps addresses to ObjIDs without sorting them: one bit per slot of
// 1<<shift bytes, plus counts. Its memory is 1/32 of the address space that has
// objects (at 8-byte slots), whatever their number.
//
// Marking is safe from several goroutines through markers; after freeze the index
// is read-only.
type index struct {
	shift uint
	mu    sync.Mutex
	pages map[uint64]*page

	// Since freeze:
	sorted    []*page // by number
	first     uint64  // number of sorted[0]
	directory []*page // directory[n-first]; nil where the range is too wide
	count     uint64
}

func newIndex(shift uint) *index { return &index{shift: shift, pages: map[uint64]*page{}} }

// marker marks objects; it remembers the last page, and collects the bits of the
// last word, as neighbours come one after the other. One goroutine each; flush ends
// its work.
type marker struct {
	x    *index
	last *page
	word uint64 // slot / 64
	bits uint64 // of that word, not yet in the page
}

// mark notes that an object begins at address.
func (m *marker) mark(address uint64) {
	slot := address >> m.x.shift
	if word := slot / 64; word != m.word || m.last == nil {
		m.flush()
		m.word = word
		if number := slot / pageSlots; m.last == nil || m.last.number != number {
			m.last = m.x.page(number)
		}
	}
	m.bits |= 1 << (slot % 64)
}

// flush hands over the bits collected.
func (m *marker) flush() {
	if m.bits != 0 {
		atomic.OrUint64(&m.last.words[m.word%pageWords].bits, m.bits)
		m.bits = 0
	}
}

// page returns the page of that number, made if need be.
func (x *index) page(number uint64) *page {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.pages[number]
	if p == nil {
		p = &page{number: number}
		x.pages[number] = p
	}
	return p
}

// freeze counts the objects and makes id and address usable.
func (x *index) freeze() {
	x.sorted = make([]*page, 0, len(x.pages))
	for _, p := range x.pages {
		x.sorted = append(x.sorted, p)
	}
	x.pages = nil
	slices.SortFunc(x.sorted, func(a, b *page) int {
		return cmp.Compare(a.number, b.number)
	})
	for _, p := range x.sorted {
		for i := range p.words {
			p.words[i].rank = x.count
			x.count += uint64(bits.OnesCount64(p.words[i].bits))
		}
	}
	if len(x.sorted) == 0 {
		return
	}
	x.first = x.sorted[0].number
	if span := x.sorted[len(x.sorted)-1].number - x.first + 1; span <= maxDirectory && span <= 1024*uint64(len(x.sorted))+1024 {
		x.directory = make([]*page, span)
		for _, p := range x.sorted {
			x.directory[p.number-x.first] = p
		}
	}
}

// id returns the object that begins at address, 0 if there is none.
func (x *index) id(address uint64) ObjID {
	slot := address >> x.shift
	at := slot/pageSlots - x.first
	var p *page
	if x.directory == nil {
		p = x.find(slot / pageSlots)
	} else if at < uint64(len(x.directory)) {
		p = x.directory[at]
	}
	if p == nil {
		return 0
	}
	w := &p.words[slot%pageSlots/64]
	bit := uint64(1) << (slot % 64)
	if w.bits&bit == 0 || address&(1<<x.shift-1) != 0 {
		return 0
	}
	return ObjID(w.rank + uint64(bits.OnesCount64(w.bits&(bit-1))) + 1)
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
		w := &directory[at].words[slot%pageSlots/64]
		below := uint64(1)<<(slot%64) - 1
		if w.bits&(below+1) != 0 && address&odd == 0 {
			of[i] = w.rank + uint64(bits.OnesCount64(w.bits&below)) + 1
		}
	}
}

// find looks a page up where there is no directory.
func (x *index) find(number uint64) *page {
	i, ok := slices.BinarySearchFunc(x.sorted, number, func(p *page, n uint64) int {
		return cmp.Compare(p.number, n)
	})
	if !ok {
		return nil
	}
	return x.sorted[i]
}

// address returns where the object begins, the inverse of id. It costs a binary
// search.
func (x *index) address(id ObjID) uint64 {
	if id == 0 || uint64(id) > x.count {
		return 0
	}
	rank := uint64(id) - 1
	i, _ := slices.BinarySearchFunc(x.sorted, rank, func(p *page, r uint64) int {
		if p.words[0].rank <= r {
			return -1
		}
		return 1
	})
	p := x.sorted[i-1]
	j, _ := slices.BinarySearchFunc(p.words[:], rank, func(w word, r uint64) int {
		if w.rank <= r {
			return -1
		}
		return 1
	})
	w := p.words[j-1]
	b := w.bits
	for range rank - w.rank {
		b &= b - 1
	}
	slot := p.number*pageSlots + uint64(j-1)*64 + uint64(bits.TrailingZeros64(b))
	return slot << x.shift
}
