package heap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Options steer a build.
type Options struct {
	// Dump is the number of the dump in the file, from 0.
	Dump int
	// Edges are the rules by which objects hold each other.
	Edges Edges
	// Watches are the fields to keep values of.
	Watches []Watch
	// Flags are names of boolean or int fields, the ones to prefer first. Of each instance it is
	// noted whether the field that its class has of those is set, see Graph.Flag.
	Flags []string
	// Contents says to look into arrays: Graph.Copies, Fills and Sparse. It costs 8
	// bytes for each array compared, while Build runs.
	Contents bool
	// Places says to note in which piece of the dump each object lies, where their bounds do not tell: for
	// many reads of few objects. It costs up to 4 bytes an object, and is not done where these would go to the
	// disk.
	Places bool
	// Depth says how far the dump is read.
	Depth Depth
	// Memory is what big arrays are made from, see offheap.Make.
	Memory *offheap.Memory
	// Progress is called now and then, from several goroutines, with the bytes
	// done and to do. Nil means nobody watches.
	Progress func(phase string, done, total int64)
}

// Depth says how far a build goes. The less is wanted, the less it costs.
type Depth int

const (
	// Linked is everything: objects with their classes, sizes and references.
	Linked Depth = iota
	// Numbered stops before the references: objects have numbers and can be read, but no
	// tables say of what class and size they are.
	Numbered
	// Counted stops at the classes, their instances and sizes. No object but those of
	// classes has a number, fields have no names, and GC roots are counted as the dump lists them.
	Counted
)

const (
	// maxObjects is the number of objects an ObjID can tell apart.
	maxObjects = 1<<32 - 2
	// maxHierarchy bounds the depth of a class hierarchy.
	maxHierarchy = 1 << 10
	// checkEvery is how many sub-records go by between two looks at the context.
	checkEvery = 1 << 16
)

// unit is a run of whole sub-records, small enough to be one worker's step.
type unit struct {
	start, end int64
	// roots is how many GC roots it lists, threads how many of them are threads.
	roots, threads int
}

// builder is the state of one build.
type builder struct {
	*Graph
	options Options
	rules   rules
	idSize  int
	extents []hprof.Extent
	total   int64 // bytes of all extents
	done    atomic.Int64

	arrayRefs  uint64      // elements of all object arrays
	unsure     bool        // what there is of some class is counted when all objects are known
	primitives [16]ClassID // the class of primitive arrays, by element type
	seen       []uint64    // a bit for each object that is described, where some are so repeatedly
	plans      []linkPlan  // by ClassID, for the second pass

	// placing is the graph's places to be, nil where they are not noted: until the second pass is over nobody
	// may ask them where an object lies.
	placing *offheap.Narrow

	// What only EdgesMAT has: the boot loader, and the locals that are references of
	// their thread.
	boot   ObjID
	locals map[ObjID][]ObjID
}

// Build reads the dump twice, on all cores: once to number objects and collect
// classes and roots, once to resolve references. Damage in the dump ends the
// part it lies in and is listed in Graph.Damage.
//
// Memory: 1/32 of the used address range, unless Counted; if Linked, 4 bytes an object, 1 to
// 5 a reference, and what the watches keep. Graph.Close gives it back. Errors: that of ctx; a
// file of the hprof agent without a heap; ErrNoDump; more than 2^32-2 objects; no memory.
func Build(ctx context.Context, f *hprof.File, o Options) (g *Graph, err error) {
	outline, err := f.Outline(ctx, o.Memory)
	if err != nil {
		return nil, err
	}
	b := &builder{
		Graph:   &Graph{Outline: outline, memory: o.Memory, file: f, frames: newFrameNames(outline), Damage: slices.Clone(outline.Damage)},
		options: o,
		idSize:  f.Header.IDSize,
	}
	defer func() {
		if err != nil {
			b.dropPlaces()
			b.Close()
		}
	}()
	b.rules = newRules(b)
	for _, e := range outline.Extents {
		if e.Dump == o.Dump {
			b.extents = append(b.extents, e)
			b.total += e.End - e.Start
		}
	}
	if len(b.extents) == 0 && (o.Dump > 0 || len(outline.Damage) == 0) { // what was cut off may be all of it
		return nil, noDump(outline, o.Dump)
	}
	if b.Layout, err = b.rules.layout(ctx); err != nil {
		return nil, err
	}
	if err := b.indexPass(ctx); err != nil {
		return nil, err
	}
	if o.Depth == Linked {
		if err := b.newPlaces(); err != nil {
			return nil, err
		}
		if err := b.planSample(); err != nil {
			return nil, err
		}
		if err := b.edgePass(ctx); err != nil {
			return nil, err
		}
		if b.Repeated > 0 || b.unsure {
			b.recount()
		}
		debug.FreeOSMemory() // what the passes left behind, before others take their own
	}
	slices.SortFunc(b.Damage, func(x, y *hprof.Error) int { return cmp.Compare(x.Offset, y.Offset) })
	return b.Graph, nil
}

// ErrNoDump is wrapped by Build's error where the file has dumps, but none of the
// number that was asked for.
var ErrNoDump = errors.New("there is no dump of this number")

// noDump explains why there is no dump of that number.
func noDump(outline *hprof.Outline, number int) error {
	if n := outline.Dumps; n > 0 && number >= n {
		return fmt.Errorf("heap dump number %d of %d: %w", number+1, n, ErrNoDump)
	} else if n > 0 {
		return fmt.Errorf("heap dump number %d of %d is empty: it has no objects", number+1, n)
	}
	return errors.New("the file holds no heap dump, but other records of the hprof agent")
}

// each runs work for every index below n, by so many workers, until one fails.
func each(ctx context.Context, n, workers int, worker func() func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(workers, n) {
		work := worker()
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := work(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// onAllCores runs work for every index below n. Each takes little time. Errors: that of ctx.
func onAllCores(ctx context.Context, n int, work func(i int)) error {
	const block = 256
	return each(ctx, (n+block-1)/block, cores.Workers(), func() func(context.Context, int) error {
		return func(_ context.Context, k int) error {
			for i := k * block; i < min((k+1)*block, n); i++ {
				work(i)
			}
			return nil
		}
	})
}

// progress tells that n more bytes are done.
func (b *builder) progress(phase string, n int64) {
	if b.options.Progress != nil {
		b.options.Progress(phase, b.done.Add(n), b.total)
	}
}
