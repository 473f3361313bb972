package hprof

import (
	"math/bits"
	"math/rand/v2"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// interner numbers things from 0, equal ones alike: open addressing, linear probing, at most half
// full. What they are is its user's to know.
type interner struct {
	m     *offheap.Memory
	slots offheap.Array[uint64] // half of the hash, and 1 + the number; 0 where free
	n     uint32
	keys  [2]uint64 // unknown to who makes a dump, who could have all things collide
}

func newInterner(m *offheap.Memory) interner {
	return interner{m: m, keys: [2]uint64{rand.Uint64(), rand.Uint64()}}
}

// number returns the number of the thing with that hash, which same compares it with; the next
// number, fresh, where there is none yet. Errors: no memory.
func (t *interner) number(hash uint64, same func(number uint32) bool) (number uint32, fresh bool, err error) {
	if int(t.n)*2 >= len(t.slots.Items) {
		if err := t.grow(); err != nil {
			return 0, false, err
		}
	}
	s := t.slots.Items
	mask, half := uint64(len(s)-1), hash>>32
	i := half & mask
	for ; s[i] != 0; i = (i + 1) & mask {
		if s[i]>>32 == half && same(uint32(s[i])-1) {
			return uint32(s[i]) - 1, false, nil
		}
	}
	t.n++
	s[i] = half<<32 | uint64(t.n)
	return t.n - 1, true, nil
}

// grow doubles the room. Errors: no memory.
func (t *interner) grow() error {
	slots, err := offheap.Make[uint64](t.m, max(1<<9, 2*len(t.slots.Items)))
	if err != nil {
		return err
	}
	mask := uint64(len(slots.Items) - 1)
	for _, s := range t.slots.Items {
		if s == 0 {
			continue
		}
		i := s >> 32 & mask
		for slots.Items[i] != 0 {
			i = (i + 1) & mask
		}
		slots.Items[i] = s
	}
	t.slots.Free()
	t.slots = slots
	return nil
}

// mix adds a word to a hash.
func (t *interner) mix(hash, word uint64) uint64 {
	high, low := bits.Mul64(hash^t.keys[0], word^t.keys[1])
	return high ^ low
}

// bytes returns how much memory it takes.
func (t *interner) bytes() int64 { return int64(len(t.slots.Items)) * 8 }

func (t *interner) free() { t.slots.Free() }
