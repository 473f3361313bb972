package hprof

import (
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// LoadedClass is a LOAD_CLASS record: the class object ID has the name NameID.
type LoadedClass struct {
	Serial uint32
	ID     uint64
	NameID uint64
}

// LoadedClasses are the LOAD_CLASS records of a dump in file order.
type LoadedClasses struct {
	rows offheap.List[[3]uint64]
}

// Len returns how many there are.
func (l *LoadedClasses) Len() int { return l.rows.Len() }

// At returns record i.
func (l *LoadedClasses) At(i int) LoadedClass {
	row := l.rows.At(i)
	return LoadedClass{uint32(row[0]), row[1], row[2]}
}

// All yields all of them.
func (l *LoadedClasses) All() iter.Seq[LoadedClass] {
	return func(yield func(LoadedClass) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// add notes another one. Errors: no memory.
func (l *LoadedClasses) add(m *offheap.Memory, c LoadedClass) error {
	return l.rows.Append(m, [3]uint64{uint64(c.Serial), c.ID, c.NameID})
}
