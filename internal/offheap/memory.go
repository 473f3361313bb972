package offheap

import (
	"errors"
	"sync"
	"unsafe"
)

// Memory is what all big arrays of one scan are made from. It may be used from several
// goroutines; the zero Memory is ready for use, and so is nil: then nobody
// keeps count.
//
// Arrays are anonymous memory at first. After Spill they are mapped from temporary
// files, whose pages can be taken out of memory at any time, see Keep.
type Memory struct {
	// Planner, if there is one, is told what a part of the work will take before it begins,
	// see Plan. It must be set before the first array is made.
	Planner func(Need) error

	mu       sync.Mutex
	arrays   map[*byte]*mapping // by address
	reserved int64
	spilled  bool
	keep     int64 // bytes of arrays that may stay in memory since Spill, less those that do
}

// mapping is the memory of one array.
type mapping struct {
	raw          []byte
	full, inFile bool
}

// Need is what a part of the work will take.
type Need struct {
	// Phase is what is about to be done, such as "finding dominators".
	Phase string
	// Bytes is how much memory arrays will take at most, beside what is taken already.
	Bytes int64
	// Later is how much the phases after it may take at most, in place of Bytes; 0 where
	// that is not known.
	Later int64
	// Fixed is how much memory will be taken at least that can't be moved to the disk; then it is
	// all that is told.
	Fixed int64
	// Nodes and References are those that the phase deals with.
	Nodes, References int64
}

// Plan tells the planner that a part of the work is about to begin. Nobody may write to
// an array meanwhile: the planner may have them moved. Errors: those of the planner.
func (m *Memory) Plan(n Need) error {
	if m == nil || m.Planner == nil {
		return nil
	}
	return m.Planner(n)
}

// ErrNoSpill says that arrays can't be moved to the disk on this system, or not to the
// folder for temporary files.
var ErrNoSpill = errors.New("no disk to move arrays to")

// Reserved returns the address space of all arrays that are not freed, in bytes. An
// array takes memory only where it was written to.
func (m *Memory) Reserved() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reserved
}

// Spilled returns how many bytes of Reserved are in temporary files.
func (m *Memory) Spilled() (bytes int64) {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.arrays {
		if a.inFile {
			bytes += int64(len(a.raw))
		}
	}
	return bytes
}

// smallBytes is the size below which arrays made by Make stay in memory: there are few.
const smallBytes = 8 << 20

// Spill moves all but small arrays to temporary files in the folder that TMPDIR names.
// Arrays made later are there from the start, but for those that Retain lets stay. Nobody
// may write to an array meanwhile. Errors: ErrNoSpill; no room on the disk.
func (m *Memory) Spill() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := canSpill(); err != nil {
		return err
	}
	m.spilled, m.keep = true, 0
	for _, a := range m.arrays {
		if a.inFile || a.full && len(a.raw) < smallBytes {
			continue
		}
		if err := moveToFile(a.raw); err != nil {
			return err
		}
		a.inFile = true
	}
	return nil
}

// Retain lets arrays that are made by Make from now on stay in memory, up to so many bytes
// in all: work is at random in what is new, and would wait for each page of a file.
func (m *Memory) Retain(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep = bytes
}

// Drop takes all pages of spilled arrays out of memory. Their content stays in the
// files, and comes back page by page where it is needed.
func (m *Memory) Drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.arrays {
		if a.inFile {
			forget(a.raw)
		}
	}
}

// inFile says whether an array is in a temporary file.
func (m *Memory) inFile(raw []byte) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arrays[unsafe.SliceData(raw)].inFile
}

func (m *Memory) allocate(bytes int, full bool) (raw []byte, err error) {
	if m == nil {
		return allocate(bytes)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	inFile := m.spilled && (!full || bytes >= smallBytes && int64(bytes) > m.keep)
	if inFile {
		raw, err = allocateInFile(bytes)
	} else {
		raw, err = allocate(bytes)
	}
	if err != nil {
		return nil, err
	}
	if m.arrays == nil {
		m.arrays = map[*byte]*mapping{}
	}
	m.arrays[unsafe.SliceData(raw)] = &mapping{raw, full, inFile}
	if m.spilled && !inFile {
		m.keep -= int64(bytes)
	}
	m.reserved += int64(len(raw))
	return raw, nil
}

func (m *Memory) release(raw []byte) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if a := m.arrays[unsafe.SliceData(raw)]; m.spilled && !a.inFile {
			m.keep += int64(len(raw))
		}
		delete(m.arrays, unsafe.SliceData(raw))
		m.reserved -= int64(len(raw))
	}
	release(raw)
}
