package finding

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// tally counts objects by class. One goroutine each.
type tally struct {
	h             *Heap
	n             int
	total         int64          // bytes
	counts, bytes []int64        // by class
	samples       []objectSample // by class
}

func newTally(h *Heap) *tally {
	n := len(h.Classes)
	return &tally{h: h, counts: make([]int64, n), bytes: make([]int64, n), samples: make([]objectSample, n)}
}

// add counts an object.
func (t *tally) add(o heap.ObjID) {
	class, size := t.h.ClassOf(o), t.h.ShallowBytes(o)
	t.n++
	t.total += size
	t.counts[class]++
	t.bytes[class] += size
	t.samples[class].add(o)
}

// join adds what was counted elsewhere.
func (t *tally) join(part *tally) {
	t.n += part.n
	t.total += part.total
	for class, n := range part.counts {
		t.counts[class] += n
		t.bytes[class] += part.bytes[class]
		for _, o := range part.samples[class] {
			t.samples[class].add(o)
		}
	}
}

// objectSample is a random sample of the objects that were added, the same in whatever order that
// was: those whose scattered numbers are least, in the order of these.
type objectSample []heap.ObjID

// sampleObjects is how many objects a sample has.
const sampleObjects = 16

func (s *objectSample) add(o heap.ObjID) {
	switch n := len(*s); {
	case n == 0:
		*s = make(objectSample, 0, sampleObjects)
	case n == sampleObjects && scattered(o) > scattered((*s)[n-1]):
		return
	case n == sampleObjects:
		*s = (*s)[:n-1]
	}
	at, _ := slices.BinarySearchFunc(*s, scattered(o), func(p heap.ObjID, key uint32) int {
		return cmp.Compare(scattered(p), key)
	})
	*s = slices.Insert(*s, at, o)
}

// scattered returns a number of its own for each object, far from those of its neighbours: the
// object's times 2^32 by the golden ratio, which is odd (Knuth, The Art of Computer Programming 3, 6.4).
func scattered(o heap.ObjID) uint32 { return uint32(o) * 0x9e3779b1 }
