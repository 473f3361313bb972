package series

import "sync"

// Memory is where derivers put their samples. A thousand of them take turns: what one
// has no more use for is another's. The zero value is ready. Safe for concurrent use.
type Memory struct {
	free sync.Pool // of *[]Sample
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

// take is room for n samples.
func (m *Memory) take(n int) []Sample {
	if m == nil {
		return make([]Sample, 0, n)
	}
	if used, ok := m.free.Get().(*[]Sample); ok && cap(*used) >= n {
		return *used
	}
	return make([]Sample, 0, n)
}
