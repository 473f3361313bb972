package heap

import (
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// sampleEvery is how many units there are to one that is read before the second pass is
// planned: what references and watched fields take is guessed from those.
const sampleEvery = 16

// sample is a part of the units, spread over the dump, and what it stands for.
type sample struct {
	units, rest []unit
	// bytes are those of the sample, like those of all units that it stands for; unlike
	// those of the others, which hold one big array each.
	bytes, like, unlike int64
}

func newSample(units []unit) (s sample) {
	n := 0
	for _, u := range units {
		size := u.end - u.start
		if size > 2*unitBytes {
			s.unlike += size
			s.rest = append(s.rest, u)
			continue
		}
		s.like += size
		if n%sampleEvery == sampleEvery/2 {
			s.bytes += size
			s.units = append(s.units, u)
		} else {
			s.rest = append(s.rest, u)
		}
		n++
	}
	return s
}

// scaled returns how much it is of all that the sample stands for, given how much it is
// of the sample; a tenth more, as units are not all alike.
func (s *sample) scaled(n int64) int64 {
	return int64(1.1 * float64(n) * float64(s.like) / float64(s.bytes))
}

// planSample tells what will be taken until the sample is read: the kinds of all objects and
// what counts their referrers, whose pages are big, and half a byte an object for the sample's
// references.
func (b *builder) planSample() error {
	n := int64(b.index.count)
	counters := int64(b.linkers())
	return b.memory.Plan(offheap.Need{Phase: "reading objects", Nodes: n, Bytes: 2*n + counters*n/2 + n/2 + b.placesBytes()})
}

// planLinks tells what the second pass and dominators will take, from what the units
// of a sample took. bound is the most references that there can be.
func (b *builder) planLinks(edge *edges.Builder, linkers []*linker, some sample, bound uint64) error {
	nodes := int64(b.Objects())
	blob, references := edge.Size(), int64(bound)
	notes, rows := int64(0), int64(0)
	if some.bytes > 0 {
		var added, kept int64
		for _, l := range linkers {
			added += l.edges.Added()
			kept += l.kept()
		}
		inArrays := min(some.unlike/int64(b.idSize), int64(b.arrayRefs))
		blob = min(blob, some.scaled(edge.Used())+inArrays*edge.Longest())
		references = min(references, some.scaled(added)+inArrays)
		notes = some.scaled(kept)
		rows = min(some.scaled(edge.Scattered()), 8*nodes)
	}
	graph := blob + rows + nodes/2 + int64(len(linkers))*nodes/2 + 2*nodes + nodes/8
	tables := b.tableBytes() + b.placesBytes()
	return b.memory.Plan(offheap.Need{
		Phase: "resolving references", Nodes: nodes, References: references,
		Bytes: graph + tables + notes,
		Later: graph + tables + dom.Bytes(nodes, nodes),
	})
}

// kept returns how many bytes the linker needs for what it noted.
func (l *linker) kept() (bytes int64) {
	for i := range l.tables {
		bytes += int64(4*l.tables[i].objects.Len() + 4*l.tables[i].words.Len())
	}
	for i := range l.contents.buckets {
		bytes += int64(8 * l.contents.buckets[i].Len())
	}
	return bytes
}

// tableBytes bounds the memory of the finished tables.
func (b *builder) tableBytes() (bytes int64) {
	for i := range b.Classes {
		for _, p := range b.plans[i].tables {
			if p.atLeast == 0 { // else few have a row
				bytes += 4 * b.Classes[i].Instances * int64(1+b.options.Watches[p.table].stride())
			}
		}
	}
	return bytes
}

// planTracks tells what a walk over all objects will take.
func (g *Graph) planTracks() error {
	return g.memory.Plan(offheap.Need{Phase: "looking for ways from the roots", Nodes: int64(g.Objects()), Bytes: g.tracksBytes()})
}

// tracksBytes bounds the memory of a walk over all objects.
func (g *Graph) tracksBytes() int64 { return 5 * int64(g.Objects()) }

// PlanNotes tells that a part of the analysis will note so much on Go's heap, from where it can't be
// moved to the disk. Errors: no memory.
func (g *Graph) PlanNotes(phase string, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return g.memory.Plan(offheap.Need{Phase: phase, Fixed: bytes})
}
