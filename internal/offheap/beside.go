package offheap

import (
	"sync"
	"sync/atomic"
)

// Beside populates arrays while they are filled already, each from its first item on: on a
// virtual machine whose host has to find the memory, pages may take as long as the work that
// fills them. The zero Beside is ready for use; nil populates nothing.
type Beside struct {
	busy sync.WaitGroup
	stop atomic.Bool
}

// besideBytes is how much is populated at once, a multiple of any page.
const besideBytes = 4 << 20

// PopulateBeside has another goroutine populate the array, which must not be freed before Stop.
func PopulateBeside[T Number](b *Beside, a *Array[T]) {
	if b == nil || a.raw == nil || a.of.inFile(a.raw) {
		return
	}
	raw := a.raw
	b.busy.Go(func() {
		for len(raw) > 0 && !b.stop.Load() {
			n := min(len(raw), besideBytes)
			populate(raw[:n])
			raw = raw[n:]
		}
	})
}

// Stop ends what is going on. Nothing may be populated beside afterwards.
func (b *Beside) Stop() {
	if b == nil {
		return
	}
	b.stop.Store(true)
	b.busy.Wait()
}
