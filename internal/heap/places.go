package heap

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

const (
	// placesSample is how many objects are asked for the pieces that may have them, and
	// orderedPieces how many of these there may be for each in a dump that lists its objects in the
	// order of their addresses, but for regions.
	placesSample  = 64
	orderedPieces = 16
)

// NotePlaces notes in which piece of the dump each object lies, where their bounds do not tell: ZGC
// lists objects as it meets them, and each piece may have any. To be called once, before many reads,
// when dominators are found and nothing else is at work: it costs a pass over the dump and up to 4
// bytes an object, and is not done where these would go to the disk, nor where objects are described
// repeatedly. Errors: that of ctx; those of a plan that can't be kept.
func (g *Graph) NotePlaces(ctx context.Context) error {
	if g.Repeated > 0 || g.inOrder() {
		return nil
	}
	n := g.Objects() + 1
	if err := g.memory.Plan(offheap.Need{Phase: "noting where objects lie", Nodes: int64(n), Bytes: 4 * int64(n)}); err != nil {
		return err
	}
	if g.memory.Spilled() > 0 {
		return nil
	}
	places, err := offheap.MakeNarrow(g.memory, n, uint32(len(g.pieces)))
	if err != nil {
		return nil //nolint:nilerr // without, it takes longer
	}
	units := make([]unit, len(g.pieces))
	for i, p := range g.pieces {
		units[i] = unit{start: p.start, end: p.end}
	}
	err = g.walk(ctx, units, func() func(int, *hprof.Objects) {
		return func(i int, o *hprof.Objects) { places.Set(int(g.index.id(o.ID)), uint32(i)) }
	})
	if err != nil {
		places.Free()
		return err
	}
	g.places = &places
	return nil
}

// inOrder says whether bounds tell well enough in which pieces objects lie.
func (g *Graph) inOrder() bool {
	several := 0
	n := min(placesSample, g.Objects())
	for i := range n {
		address := []uint64{g.Address(ObjID(1 + i*(g.Objects()/n)))}
		for _, p := range g.pieces {
			if p.mayHave(address) {
				several++
			}
		}
	}
	return several <= orderedPieces*n
}

// holding returns what is to be read to meet the objects, which lie at the addresses, sorted.
func (g *Graph) holding(objects []ObjID, addresses []uint64) []unit {
	if g.places == nil {
		return around(g.pieces, addresses)
	}
	all := make([]uint32, 0, len(objects))
	for _, o := range objects {
		if int(o) <= g.Objects() {
			all = append(all, g.places.At(int(o)))
		}
	}
	slices.Sort(all)
	var units []unit
	for _, i := range slices.Compact(all) {
		units = join(units, g.pieces[i])
	}
	return units
}
