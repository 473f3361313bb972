package heap

import (
	"slices"
	"sort"

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

// newPlaces has it noted in which piece of the dump each object lies, where that is asked for and the bounds
// of the pieces do not tell: ZGC lists objects as it meets them, and each piece may have any. Of objects that are
// described repeatedly the place would be any of theirs. Errors: no memory.
func (b *builder) newPlaces() error {
	if !b.options.Places || b.Repeated > 0 || b.inOrder() {
		return nil
	}
	places, err := offheap.MakeNarrow(b.memory, b.Objects()+1, uint32(len(b.pieces)))
	b.placing = &places
	return err
}

// placesBytes bounds the memory of what is being noted of places.
func (b *builder) placesBytes() int64 {
	if b.placing == nil {
		return 0
	}
	return 4 * int64(b.Objects())
}

// dropPlaces gives up noting places.
func (b *builder) dropPlaces() {
	if b.placing != nil {
		b.placing.Free()
		b.placing = nil
	}
}

// inOrder says whether bounds tell well enough in which pieces objects lie.
func (g *Graph) inOrder() bool {
	n := min(placesSample, g.Objects())
	addresses := make([]uint64, n) // sorted, as objects are numbered by them
	for i := range addresses {
		addresses[i] = g.Address(ObjID(1 + i*(g.Objects()/n)))
	}
	several := 0
	for _, p := range g.pieces {
		below := sort.Search(n, func(i int) bool { return addresses[i] >= p.low })
		several += sort.Search(n, func(i int) bool { return addresses[i] > p.high }) - below
	}
	return several <= orderedPieces*n
}

// placer tells the piece of the dump that a linker is in. One goroutine each.
type placer struct {
	pieces []piece
	at     int // the piece that the current object lies in
}

// placer returns a placer that tells pieces where places are noted, and nothing elsewhere.
func (b *builder) placer() placer {
	if b.placing == nil {
		return placer{}
	}
	return placer{pieces: b.pieces}
}

// begin moves to where a unit starts.
func (p *placer) begin(start int64) {
	p.at = sort.Search(len(p.pieces), func(i int) bool { return p.pieces[i].end > start })
}

// enter moves on to an offset.
func (p *placer) enter(offset int64) {
	for p.at < len(p.pieces) && p.pieces[p.at].end <= offset {
		p.at++
	}
}

// ahead returns what is read already of the rest of the piece.
func (p *placer) ahead(o *hprof.Objects) []byte {
	b := o.Ahead()
	if p.at == len(p.pieces) {
		return b
	}
	return b[:min(int64(len(b)), p.pieces[p.at].end-o.Position())]
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
