package heap

import (
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Root is a GC root.
type Root struct {
	Object ObjID
	Kind   hprof.SubTag
	// Thread is the serial number of the thread it belongs to, 0 for none.
	Thread uint32
	// Frame is the index of the frame in the thread's stack, -1 for none.
	Frame int32
}

// Roots are GC roots, in planned memory: a leak of JNI references lists millions. The zero value
// is empty.
type Roots struct {
	rows offheap.Array[packedRoot] // room for as many as there may be
	n    int
}

// packedRoot is a root as an object, a thread, and a kind with a frame.
type packedRoot [3]uint32

// noFrame stands for -1, and for frames beyond what one record of a stack can list.
const noFrame = 1<<24 - 1

func (r Root) packed() packedRoot {
	return packedRoot{uint32(r.Object), r.Thread, uint32(r.Kind)<<24 | min(uint32(r.Frame), noFrame)}
}

// thread is the thread it belongs to.
func (p packedRoot) thread() uint32 { return p[1] }

// frame is the frame, noFrame for none: what belongs to none is behind what does.
func (p packedRoot) frame() uint32 { return p[2] & noFrame }

func (p packedRoot) root() Root {
	r := Root{Object: ObjID(p[0]), Kind: hprof.SubTag(p[2] >> 24), Thread: p[1], Frame: int32(p.frame())}
	if r.Frame == noFrame {
		r.Frame = -1
	}
	return r
}

// makeRoots returns an empty list with room for so many. Errors: no memory.
func makeRoots(m *offheap.Memory, room int) (Roots, error) {
	rows, err := offheap.ReservePlain[packedRoot](m, room)
	return Roots{rows: rows}, err
}

// Len returns the number of roots.
func (l *Roots) Len() int { return l.n }

// All yields the roots in the order of the list.
func (l *Roots) All() iter.Seq[Root] {
	return func(yield func(Root) bool) {
		for _, p := range l.packed() {
			if !yield(p.root()) {
				return
			}
		}
	}
}

// First returns the first root that fits; ok is false where none does.
func (l *Roots) First(fits func(Root) bool) (r Root, ok bool) {
	for _, p := range l.packed() {
		if r = p.root(); fits(r) {
			return r, true
		}
	}
	return Root{}, false
}

// packed returns the roots as they are kept; graphs that are Counted have none.
func (l *Roots) packed() []packedRoot { return l.rows.Items[:min(l.n, len(l.rows.Items))] }

// add adds a root, which there must be room for.
func (l *Roots) add(r Root) {
	l.rows.Items[l.n] = r.packed()
	l.n++
}

func (l *Roots) free() {
	l.rows.Free()
	l.n = 0
}
