package heap

import "github.com/apm-sidecar/apm-sidecar/internal/heap/edges"

// batch holds neighbours whose references are still addresses. They are looked up
// together: a lookup that waits for memory does not hold up the others.
type batch struct {
	objects []pending
	// refs are the references of all of them, in their order: room for more than there
	// are, as the next object's are written behind them before they are counted.
	refs []uint64
	used int // of refs
}

// pending is an object whose references are not looked up yet.
type pending struct {
	id ObjID
	// class is the class object if it counts as a reference, else 0.
	class ObjID
	// end is where its references end in refs; they begin where those before it end.
	end uint32
}

const (
	// batchRefs is how many references are looked up together: enough to hide how long
	// memory takes, few enough to stay in the cache.
	batchRefs = 1 << 10
	// batchObjects is how many objects may wait.
	batchObjects = 1 << 9
)

func newBatch() batch {
	return batch{objects: make([]pending, 0, batchObjects), refs: make([]uint64, batchRefs)}
}

// full says whether there is no room for another object with n references.
func (b *batch) full(n int) bool {
	return b.used+n >= len(b.refs) || len(b.objects) == batchObjects
}

// grow makes room for n references.
func (b *batch) grow(n int) {
	if b.full(n) {
		b.refs = append(b.refs[:b.used], make([]uint64, n+1)...)
	}
}

// free is where the references of the next object go.
func (b *batch) free() []uint64 { return b.refs[b.used:] }

// add appends an object whose n references are written behind those of the others.
func (b *batch) add(id, class ObjID, n int) {
	b.used += n
	b.objects = append(b.objects, pending{id, class, uint32(b.used)})
}

// resolve has all references looked up, and writes them.
func (b *batch) resolve(lookUp func(addresses []uint64), w *edges.Writer) error {
	lookUp(b.refs[:b.used])
	w.Prefetch(b.refs[:b.used])
	begin := uint32(0)
	for i := range b.objects {
		p := &b.objects[i]
		if err := w.Run(uint32(p.id), uint32(p.class), b.refs[begin:p.end]); err != nil {
			return err
		}
		begin = p.end
	}
	b.objects, b.used = b.objects[:0], 0
	return nil
}
