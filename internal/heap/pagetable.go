package heap

import (
	"math/rand/v2"
	"sync/atomic"
)

// pageTable finds the pages of an index by their numbers. ZGC lists objects in no order, so that most
// are of another page than the one before: finding one takes no lock, which all cores would wait for.
// One goroutine at a time adds pages.
type pageTable struct {
	slots atomic.Pointer[[]pageSlot] // a power of two, half of them free; a bigger one takes its place
	count int
	// seed scatters the numbers over the slots. It is another one in each table, so no dump can have all
	// of them meet.
	seed uint64
}

// pageSlot has a page, or none.
type pageSlot struct {
	key   atomic.Uint64 // the number of the page plus one, 0 for none; set when words is
	words *pageBits
}

// leastPageSlots is how many slots the first table has.
const leastPageSlots = 1 << 10

func newPageTable() *pageTable {
	t := &pageTable{seed: rand.Uint64()}
	slots := make([]pageSlot, leastPageSlots)
	t.slots.Store(&slots)
	return t
}

// find returns the page of a number, nil if there is none. One that is being added may be missed.
func (t *pageTable) find(number uint64) *pageBits {
	slot, there := t.slotOf(*t.slots.Load(), number)
	if !there {
		return nil
	}
	return slot.words
}

// slotOf returns the slot of a number, the free one where it would be if it is in none.
func (t *pageTable) slotOf(slots []pageSlot, number uint64) (slot *pageSlot, there bool) {
	for i := fold(number^t.seed, foldFactor); ; i++ {
		slot = &slots[i&uint64(len(slots)-1)]
		if key := slot.key.Load(); key == 0 || key == number+1 {
			return slot, key != 0
		}
	}
}

// add adds a page that is not there yet.
func (t *pageTable) add(number uint64, words *pageBits) {
	slots := *t.slots.Load()
	if t.count++; t.count > len(slots)/2 {
		bigger := make([]pageSlot, 2*len(slots))
		for i := range slots {
			if key := slots[i].key.Load(); key != 0 {
				t.set(bigger, key-1, slots[i].words)
			}
		}
		slots = bigger
		t.slots.Store(&bigger)
	}
	t.set(slots, number, words)
}

func (t *pageTable) set(slots []pageSlot, number uint64, words *pageBits) {
	slot, _ := t.slotOf(slots, number)
	slot.words = words
	slot.key.Store(number + 1)
}

// all returns the pages in no order.
func (t *pageTable) all() []page {
	pages := make([]page, 0, t.count)
	slots := *t.slots.Load()
	for i := range slots {
		if key := slots[i].key.Load(); key != 0 {
			pages = append(pages, page{key - 1, slots[i].words})
		}
	}
	return pages
}
