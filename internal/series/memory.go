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

// known is the layout that the samples, whose labels are among the sets, make at another
// deriver already; nil if there is none.
func (m *Memory) known(samples []Sample, sets [][]Label, naming Naming) *layout {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.layouts[hashOf(samples, m.seeded())].Value()
	if l == nil || !l.isLike(samples, sets, naming) {
		return nil
	}
	return l
}

// share lets others know of a layout of the samples, unless there is one of its hash.
func (m *Memory) share(l *layout, samples []Sample) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	hash := hashOf(samples, m.seeded())
	if m.layouts[hash].Value() != nil {
		return
	}
	m.layouts[hash] = weak.Make(l)
	runtime.AddCleanup(l, m.forget, hash)
}

// seeded is the seed of hashes; the caller holds the lock.
func (m *Memory) seeded() maphash.Seed {
	if m.layouts == nil {
		m.layouts, m.seed = map[uint64]weak.Pointer[layout]{}, maphash.MakeSeed()
	}
	return m.seed
}

// forget drops a layout that nobody uses any more.
func (m *Memory) forget(hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layouts[hash].Value() == nil {
		delete(m.layouts, hash)
	}
}
