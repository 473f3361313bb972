package heap

import (
	"context"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// root is a GC root by address.
type root struct {
	address uint64
	kind    hprof.SubTag
	thread  uint32
	frame   int32
}

// readRoots makes the GC roots and threads of what the dump lists. It reads the units that
// have some again, in the order of the file: a leak of JNI references lists millions, and their
// objects have numbers only now. Graphs that are Counted know how many there are. Errors: that
// of ctx; no memory.
func (b *builder) readRoots(ctx context.Context) error {
	listed, threads := 0, 0
	for _, u := range b.units {
		listed += u.roots
		threads += u.threads
	}
	if b.options.Depth == Counted {
		b.Roots.n = listed
		return nil
	}
	if err := b.makeRoots(listed, threads); err != nil {
		return err
	}
	o := hprof.NewObjects(b.file, b.idSize)
	for _, u := range b.units {
		if u.roots == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for o.Reset(u.start, u.end); o.Next(); {
			switch o.Tag {
			case hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray, hprof.SubPrimArrayNoData,
				hprof.SubClassDump, hprof.SubHeapInfo, hprof.SubUnreachable:
			default:
				b.root(root{o.ID, o.Tag, o.Thread, o.Frame})
			}
		}
		if err := unreadable(o); err != nil {
			return err
		}
	}
	b.sortStackRoots()
	return nil
}

// makeRoots makes room for what the dump lists. Errors: no memory.
func (b *builder) makeRoots(listed, threads int) (err error) {
	const row, few = int64(unsafe.Sizeof(packedRoot{})), 1 << 20 // fewer need no plan
	if listed > few {
		if err := b.memory.Plan(offheap.Need{Phase: "reading GC roots", Bytes: 2 * row * int64(listed)}); err != nil {
			return err
		}
	}
	if threads > few {
		if err := b.memory.Plan(offheap.Need{Phase: "reading threads", Fixed: int64(unsafe.Sizeof(Thread{})) * int64(threads)}); err != nil {
			return err
		}
	}
	b.Threads = make([]Thread, 0, threads)
	if b.Roots, err = makeRoots(b.memory, listed+len(b.Classes)); err != nil { // the rules may add classes
		return err
	}
	b.stackRoots, err = makeRoots(b.memory, listed)
	return err
}

// root takes over a GC root.
func (b *builder) root(r root) {
	if r.kind == hprof.SubRootThread {
		b.Threads = append(b.Threads, Thread{Object: b.index.id(r.address), Serial: r.thread, stack: b.Outline.Stacks.Of(uint32(r.frame))})
	} else if id := b.index.id(r.address); id != 0 && r.thread != 0 {
		b.stackRoots.add(Root{Object: id, Kind: r.kind, Thread: r.thread, Frame: r.frame})
	}
	b.rules.root(r)
}
