package heap

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
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
// of ctx.
func (b *builder) readRoots(ctx context.Context) error {
	listed := 0
	for _, u := range b.units {
		listed += u.roots
	}
	if b.options.Depth == Counted {
		b.Roots = make([]Root, listed)
		return nil
	}
	b.Roots = make([]Root, 0, listed+len(b.Classes)) // the rules may add classes
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
	}
	b.sortStackRoots()
	return nil
}

// root takes over a GC root.
func (b *builder) root(r root) {
	if r.kind == hprof.SubRootThread {
		b.Threads = append(b.Threads, Thread{Object: b.index.id(r.address), Serial: r.thread, stack: b.Outline.Stacks.Of(uint32(r.frame))})
	} else if id := b.index.id(r.address); id != 0 && r.thread != 0 {
		b.stackRoots = append(b.stackRoots, Root{Object: id, Kind: r.kind, Thread: r.thread, Frame: r.frame})
	}
	b.rules.root(r)
}
