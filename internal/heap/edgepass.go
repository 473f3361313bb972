package heap

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// edgePass resolves the references of every object.
func (b *builder) edgePass(ctx context.Context) error {
	if err := b.rules.moreRoots(ctx); err != nil {
		return err
	}
	workers, err := b.runLinkers(ctx)
	defer func() {
		for _, l := range workers {
			l.free()
		}
	}()
	if err != nil {
		return err
	}
	b.places, b.placing = b.placing, nil
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.joinTables(workers) })
	g.Go(func() error { return b.compare(ctx, workers) })
	return g.Wait()
}

// joinTables puts together what the workers noted for the watches. Errors: no memory.
func (b *builder) joinTables(workers []*linker) error {
	for i, w := range b.options.Watches {
		var parts []*rows
		for _, l := range workers {
			parts = append(parts, &l.sampled[i], &l.tables[i])
		}
		t, err := newTable(b.memory, w, parts, b.found(i))
		for _, p := range parts {
			p.free()
		}
		if err != nil {
			return err
		}
		b.Tables = append(b.Tables, t)
	}
	return nil
}

// compare puts together what the workers noted of the contents of arrays, if they did.
// Errors: that of ctx.
func (b *builder) compare(ctx context.Context, workers []*linker) (err error) {
	if !b.options.Contents {
		return nil
	}
	b.Fills = make([]Fill, len(b.Classes))
	var noted []*contents
	for _, l := range workers {
		for i, f := range l.fills {
			b.Fills[i].Join(f)
		}
		b.Sparse = append(b.Sparse, l.sparse...)
		noted = append(noted, l.contents)
	}
	slices.SortFunc(b.Sparse, func(x, y SparseArray) int { return cmp.Compare(x.Object, y.Object) })
	b.Copies, err = b.copiesOf(ctx, noted)
	return err
}

// runLinkers resolves the references of all objects. What the workers hold is for the
// caller to free, also after an error.
func (b *builder) runLinkers(ctx context.Context) (workers []*linker, err error) {
	if b.kinds, err = newKinds(b.memory, uint64(b.Objects()), b.unknownClass()); err != nil {
		return nil, err
	}
	bound, err := b.planClasses(ctx)
	if err != nil {
		return nil, err
	}
	edge, err := edges.NewBuilder(b.memory, b.Objects()+1, bound, b.linkers())
	if err != nil {
		return nil, err
	}
	b.edges = edge.Freeze()
	if b.flags, err = b.newFlags(); err != nil {
		return nil, err
	}
	b.done.Store(0)
	var populate sync.WaitGroup
	populate.Go(edge.Populate)
	for range b.linkers() {
		l := &linker{b: b, o: hprof.NewObjects(b.file, b.idSize), edges: edge.NewWriter(), kinds: newKindWriter(b.kinds), placer: b.placer(),
			waiting: newBatch(), tables: make([]rows, len(b.options.Watches)), fills: make([]Fill, len(b.Classes)), contents: &contents{}}
		populate.Go(l.edges.Populate)
		workers = append(workers, l)
	}
	populate.Wait()
	some := sample{rest: b.units}
	if b.Repeated == 0 {
		some = newSample(b.units)
	} else {
		b.markClasses()
	}
	if err := linkUnits(ctx, workers, some.units); err != nil {
		return workers, err
	}
	if err := b.planLinks(edge, workers, some, bound); err != nil {
		return workers, err
	}
	if b.memory.Spilled() > 0 {
		b.dropPlaces()
	}
	for _, w := range workers {
		w.sampled, w.tables = w.tables, make([]rows, len(w.tables)) // each in the order of the dump
	}
	if err := linkUnits(ctx, workers, some.rest); err != nil {
		return workers, err
	}
	if err := b.linkClasses(ctx, workers); err != nil {
		return workers, err
	}
	if err := workers[0].bootLoader(); err != nil {
		return workers, err
	}
	for _, w := range workers {
		w.edges.Close()
	}
	if b.memory.Spilled() > 0 {
		return workers, nil // to go through them at random once would be no quicker
	}
	return workers, edge.Arrange(ctx, b.memory, cores.Workers())
}

// mostLinkers is how many workers there are at most: each counts predecessors for itself, in half a byte
// an object, and on more processors all of them would wait for memory.
const mostLinkers = 8

// linkers is how many workers there are: one that goes through the dump in its order where
// the first description of an object counts.
func (b *builder) linkers() int {
	if b.Repeated > 0 {
		return 1
	}
	return min(cores.Workers(), mostLinkers)
}

// linkUnits resolves the references of the objects in units.
func linkUnits(ctx context.Context, workers []*linker, units []unit) error {
	return byLinkers(ctx, workers, len(units), func(ctx context.Context, l *linker, i int) error { return l.unit(ctx, units[i]) })
}

// linkClasses resolves the references of class objects.
func (b *builder) linkClasses(ctx context.Context, workers []*linker) error {
	const block = 256
	return byLinkers(ctx, workers, (len(b.Classes)+block-1)/block, func(_ context.Context, l *linker, i int) error {
		for c := i * block; c < min((i+1)*block, len(b.Classes)); c++ {
			if err := l.class(ClassID(c)); err != nil {
				return err
			}
		}
		return nil
	})
}

// byLinkers runs work for every index below n, by all workers.
func byLinkers(ctx context.Context, workers []*linker, n int, work func(ctx context.Context, l *linker, i int) error) error {
	return each(ctx, n, len(workers), func() func(context.Context, int) error {
		l := workers[0]
		workers = workers[1:]
		return func(ctx context.Context, i int) error { return work(ctx, l, i) }
	})
}
