package series

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"
)

// Memory is what derivers have in common. A thousand of them take turns: what one has
// no more use for is another's, and what many list alike is listed once. The zero value
// is ready. Safe for concurrent use.
type Memory struct {
	free sync.Pool // of *[]Sample

	mu   sync.Mutex
	seed maphash.Seed
	// layouts are those in use, by their hash.
	layouts map[uint64]weak.Pointer[layout]
}

// Free gives back samples that a deriver with this memory gave, for others to
// overwrite. Nil memory takes nothing.
func (m *Memory) Free(samples []Sample) {
	if m == nil || cap(samples) == 0 {
		return
	}
	clear(samples) // labels of a target that vanishes must not stay
	samples = samples[:0]
	m.free.Put(&samples)
}

// usualSamples are as many as most polls give, and some.
const usualSamples = 128

// take is room for n samples.
func (m *Memory) take(n int) []Sample {
	n = max(n, usualSamples)
	if m == nil {
		return make([]Sample, 0, n)
	}
	if used, ok := m.free.Get().(*[]Sample); ok && cap(*used) >= n {
		return *used
	}
	return make([]Sample, 0, n)
}

// shared is a layout like the fresh one that others have already, or the fresh one.
func (m *Memory) shared(fresh *layout) *layout {
	if m == nil {
		return fresh
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layouts == nil {
		m.layouts, m.seed = map[uint64]weak.Pointer[layout]{}, maphash.MakeSeed()
	}
	hash := fresh.hash(m.seed)
	if known := m.layouts[hash].Value(); known != nil {
		if known.is(fresh) {
			return known
		}
		return fresh // another of the same hash
	}
	m.layouts[hash] = weak.Make(fresh)
	runtime.AddCleanup(fresh, m.forget, hash)
	return fresh
}

// forget drops a layout that nobody uses any more.
func (m *Memory) forget(hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layouts[hash].Value() == nil {
		delete(m.layouts, hash)
	}
}
