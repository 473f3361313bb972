package dom

import (
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// sums holds a sum of weights for each number: 32 bits in units of weight, as nearly
// all fit in, and the few bigger ones aside.
type sums struct {
	unit  uint64
	items offheap.Array[uint32]
	mu    sync.Mutex // guards big while several goroutines set sums
	big   map[uint32]uint64
}

// bigSum stands for a sum that is aside.
const bigSum = ^uint32(0)

// newSums returns sums of 0 in items.
func newSums(items offheap.Array[uint32], unit uint64) *sums {
	return &sums{unit: max(unit, 1), items: items, big: map[uint32]uint64{}}
}

// of returns the sum of i.
func (s *sums) of(i uint32) uint64 {
	if u := s.items.Items[i]; u != bigSum {
		return uint64(u) * s.unit
	}
	return s.big[i]
}

// set sets the sum of i; several goroutines may at once, for different numbers.
func (s *sums) set(i uint32, sum uint64) {
	u := sum / s.unit
	if u < uint64(bigSum) {
		s.items.Items[i] = uint32(u)
		return
	}
	s.items.Items[i] = bigSum
	s.mu.Lock()
	s.big[i] = sum
	s.mu.Unlock()
}

func (s *sums) free() {
	if s != nil {
		s.items.Free()
	}
}
