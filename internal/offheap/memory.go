package offheap

import "sync"

// Memory is what all big arrays of one scan are made from. It may be used from several
// goroutines; the zero Memory is ready for use.
type Memory struct {
	mu       sync.Mutex
	reserved int64
}

// Reserved returns the address space of all arrays that are not freed, in bytes. An
// array takes memory only where it was written to.
func (m *Memory) Reserved() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reserved
}

func (m *Memory) allocate(bytes int) ([]byte, error) {
	raw, err := allocate(bytes)
	if err == nil {
		m.count(int64(len(raw)))
	}
	return raw, err
}

func (m *Memory) release(raw []byte) {
	m.count(-int64(len(raw)))
	release(raw)
}

func (m *Memory) count(bytes int64) {
	if m != nil {
		m.mu.Lock()
		m.reserved += bytes
		m.mu.Unlock()
	}
}
