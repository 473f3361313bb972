package heap

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

const (
	// unitBytes is the size at which a long extent is cut into units.
	unitBytes = 4 << 20
	// pieceBytes is the size at which it is cut into pieces.
	pieceBytes = 32 << 10
)

// indexer is one worker of the first pass.
type indexer struct {
	b       *builder
	o       *hprof.Objects
	marker  marker
	tally   *tally
	classes []*classDump
	block   []classDump // where the last of them are, and room for more
	damage  []*hprof.Error
	units   []unit
	pieces  []piece
	skewed  bool // an address is no multiple of the slot size
	number  bool // objects get numbers
}

// classDump is a copy of a class dump.
type classDump struct {
	address uint64
	offset  int64
	hprof.ClassDump
}

// indexPass marks every object in the index, or classes alone where they are only
// counted, counts instances by class, and collects classes and roots.
func (b *builder) indexPass(ctx context.Context) error {
	workers, err := b.runIndexers(ctx, 3)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(workers, func(w *indexer) bool { return w.skewed }) {
		// Ids that are no addresses, such as the hprof agent's: a slot each.
		if workers, err = b.runIndexers(ctx, 0); err != nil {
			return err
		}
	}
	b.index.freeze()
	if align := b.index.alignment(); b.index.shift > 0 && !b.Layout.plain && align < b.Layout.Align {
		// What was looked at to infer the layout may all have been of one size.
		b.Layout.Align = align
		if workers, err = b.runIndexers(ctx, b.index.shift); err != nil {
			return err
		}
		b.index.freeze()
	}
	if b.index.count > maxObjects {
		return fmt.Errorf("%d objects: this version can tell 4,294,967,294 apart", b.index.count)
	}
	all := &indexer{tally: newTally()}
	for i, w := range workers {
		all.classes = append(all.classes, w.classes...)
		all.units = append(all.units, w.units...)
		all.pieces = append(all.pieces, w.pieces...)
		if i == 0 {
			all.tally = w.tally
		} else {
			all.tally.add(w.tally)
		}
		b.Damage = append(b.Damage, w.damage...)
	}
	slices.SortFunc(all.units, func(x, y unit) int { return cmp.Compare(x.start, y.start) })
	b.units = all.units
	slices.SortFunc(all.pieces, func(x, y piece) int { return cmp.Compare(x.start, y.start) })
	b.pieces = all.pieces
	b.countRepeated(all)
	if err := b.resolveClasses(ctx, all); err != nil {
		return err
	}
	if b.Repeated > 0 {
		if b.RepeatedAt, err = b.firstRepeated(ctx, all.classes); err != nil {
			return err
		}
	}
	return b.readRoots(ctx)
}

func (b *builder) runIndexers(ctx context.Context, shift uint) ([]*indexer, error) {
	b.done.Store(0)
	if b.index != nil {
		b.index.free()
	}
	b.index = newIndex(b.memory, shift)
	var workers []*indexer
	err := each(ctx, len(b.extents), cores.Workers(), func() func(context.Context, int) error {
		w := &indexer{b: b, o: hprof.NewObjects(b.file, b.idSize), marker: marker{x: b.index}, tally: newTally(), number: b.options.Depth != Counted}
		workers = append(workers, w)
		return func(ctx context.Context, i int) error { return w.extent(ctx, b.extents[i]) }
	})
	return workers, err
}

// extent reads all sub-records of e.
func (w *indexer) extent(ctx context.Context, e hprof.Extent) error {
	o := w.o
	o.Reset(e.Start, e.End)
	u, p := unit{start: e.Start}, newPiece(e.Start)
	mask := uint64(1)<<w.marker.x.shift - 1
	for n := 1; ; n++ {
		if at := o.Position(); at-p.start >= pieceBytes && at < e.End {
			w.cut(&p, at)
			if at-u.start >= unitBytes {
				w.finish(u, at)
				u = unit{start: at}
			}
		}
		if w.b.idSize == 8 {
			ahead := o.Ahead()
			o.Consume(w.small(ahead[:min(len(ahead), pieceBytes)], &p, mask))
		}
		if !o.Next() {
			break
		}
		switch o.Tag {
		case hprof.SubInstance:
			w.tally.instance(o.ClassID)
		case hprof.SubObjectArray:
			w.tally.array(o.ClassID, w.b.Layout.arraySize(int64(o.Count), w.b.Layout.RefBytes), int64(o.Count))
		case hprof.SubPrimArray, hprof.SubPrimArrayNoData:
			w.tally.primitive(o.Elem, w.b.Layout.arraySize(int64(o.Count), o.Elem.Width(0)))
		case hprof.SubClassDump:
			d := o.Class
			d.Statics, d.Fields = slices.Clone(d.Statics), slices.Clone(d.Fields)
			w.addClass(classDump{o.ID, o.Offset, d})
			if d.Fault != nil {
				w.damage = append(w.damage, d.Fault)
			}
		case hprof.SubHeapInfo, hprof.SubUnreachable:
			continue
		default:
			u.roots++
			if o.Tag == hprof.SubRootThread {
				u.threads++
			}
			continue
		}
		if w.number || o.Tag == hprof.SubClassDump {
			if o.ID&mask != 0 {
				w.skewed = true
			}
			w.marker.mark(o.ID)
			if o.Tag != hprof.SubClassDump {
				p.low, p.high = min(p.low, o.ID), max(p.high, o.ID)
			}
		}
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	end := o.Position()
	if err := o.Err(); err != nil {
		w.damage = append(w.damage, w.b.file.Lost(err, e.End))
		end = err.Offset
	}
	w.cut(&p, end)
	w.finish(u, end)
	return w.marker.flush()
}

// dumpsBlock is how many class dumps a block takes: those of a growing array would be copied.
const dumpsBlock = 64

// addClass notes a class dump.
func (w *indexer) addClass(d classDump) {
	if len(w.block) == cap(w.block) {
		w.block = make([]classDump, 0, dumpsBlock)
	}
	w.block = append(w.block, d)
	w.classes = append(w.classes, &w.block[len(w.block)-1])
}

// small counts and numbers the instances and arrays at the front of b that lie in it as a
// whole, sub-records with ids of 8 bytes, and returns how many bytes they take. It does
// what extent does, for the most frequent kinds of sub-records and without a call for each.
func (w *indexer) small(b []byte, p *piece, mask uint64) int {
	const longest = 1 + 8 + 4 + 8 + 4 // tag, id, trace, class, length of an instance
	layout := &w.b.Layout
	at := 0
	for len(b)-at >= longest {
		head := b[at : at+longest : at+longest]
		id, next := binary.BigEndian.Uint64(head[1:]), at
		switch hprof.SubTag(head[0]) {
		case hprof.SubInstance:
			if next += longest + int(binary.BigEndian.Uint32(head[21:])); next > len(b) {
				return at
			}
			w.tally.instance(binary.BigEndian.Uint64(head[13:]))
		case hprof.SubObjectArray: // id, trace, length, class
			n := int(binary.BigEndian.Uint32(head[13:]))
			if next += longest + 8*n; next > len(b) {
				return at
			}
			w.tally.array(binary.BigEndian.Uint64(head[17:]), layout.arraySize(int64(n), layout.RefBytes), int64(n))
		case hprof.SubPrimArray: // id, trace, length, type
			n, elem := int(binary.BigEndian.Uint32(head[13:])), hprof.Type(head[17])
			width := elem.Width(0)
			if next += 18 + width*n; next > len(b) || width == 0 {
				return at
			}
			w.tally.primitive(elem, layout.arraySize(int64(n), width))
		default:
			return at
		}
		at = next
		if w.number {
			if id&mask != 0 {
				w.skewed = true
			}
			w.marker.mark(id)
			p.low, p.high = min(p.low, id), max(p.high, id)
		}
	}
	return at
}

// finish notes a unit that ends at end.
func (w *indexer) finish(u unit, end int64) {
	u.end = end
	w.units = append(w.units, u)
	w.b.progress("reading objects", end-u.start)
}
