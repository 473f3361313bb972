package heap

import (
	"math"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// kind is what objects of one class and one size have in common. Heaps have
// millions of objects and, as a rule, less than 65,536 kinds of them.
type kind struct {
	class ClassID
	size8 uint32 // shallow size in units of 8 bytes
}

// kindOf is the kind of objects of a class that take so many bytes, up to 32 GiB: a Java array has less than 2^31 elements, but
// a dump may tell of one of 2^32, and has nothing of them where it is Android's.
func kindOf(class ClassID, bytes int64) kind {
	return kind{class, uint32(min(bytes/8, math.MaxUint32))}
}

// kinds holds the kind of every object: two bytes each, and two more where there
// are so many kinds. Numbers are given out as kinds are met.
type kinds struct {
	all  []kind                // by number; 0 is that of objects never described
	low  offheap.Array[uint16] // by ObjID
	high offheap.Array[uint16] // by ObjID; its memory is taken only where needed

	mu      sync.Mutex
	numbers map[kind]uint32
}

func newKinds(m *offheap.Memory, objects uint64, none ClassID) (*kinds, error) {
	k := &kinds{all: []kind{{class: none}}, numbers: map[kind]uint32{}}
	var err error
	if k.low, err = offheap.Make[uint16](m, int(objects)+1); err != nil {
		return nil, err
	}
	k.high, err = offheap.Reserve[uint16](m, int(objects)+1)
	return k, err
}

func (k *kinds) free() {
	k.low.Free()
	k.high.Free()
}

// of returns the kind of an object.
func (k *kinds) of(o ObjID) kind {
	n := uint32(k.low.Items[o])
	if len(k.all) > 1<<16 {
		n |= uint32(k.high.Items[o]) << 16
	}
	return k.all[n]
}

// number returns the number of a kind.
func (k *kinds) number(of kind) uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, ok := k.numbers[of]
	if !ok {
		n = uint32(len(k.all))
		k.numbers[of] = n
		k.all = append(k.all, of)
	}
	return n
}

// kindWriter sets the kinds of objects; it remembers the numbers it met, of two at one slot the later. One
// goroutine each.
type kindWriter struct {
	k    *kinds
	keys []uint64 // class and size, 0 for none
	nums []uint32
}

const (
	kindBits  = 14
	kindSlots = 1 << kindBits
)

func newKindWriter(k *kinds) *kindWriter {
	return &kindWriter{k: k, keys: make([]uint64, kindSlots), nums: make([]uint32, kindSlots)}
}

// set notes the class and the size of an object.
func (w *kindWriter) set(o ObjID, class ClassID, bytes int64) {
	of := kindOf(class, bytes)
	key := uint64(of.class)<<32 | uint64(of.size8) + 1
	slot := key * 0x9E3779B97F4A7C15 >> (64 - kindBits)
	if w.keys[slot] != key {
		w.keys[slot], w.nums[slot] = key, w.k.number(of)
	}
	w.put(o, w.nums[slot])
}

// put notes the kind of an object by its number.
func (w *kindWriter) put(o ObjID, number uint32) {
	w.k.low.Items[o] = uint16(number)
	if number >= 1<<16 {
		w.k.high.Items[o] = uint16(number >> 16)
	}
}
