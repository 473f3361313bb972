package heap

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// maxInstance bounds the body of an instance that is looked into. The biggest
// that the class file format allows is 65,535 fields of 8 bytes a class.
const maxInstance = 16 << 20

// linker is one worker of the second pass.
type linker struct {
	b       *builder
	o       *hprof.Objects
	edges   *edges.Writer
	kinds   *kindWriter
	placer  placer
	waiting batch
	tables  []rows

	sampled []rows // those of the units that were read before the others

	fills    []Fill // by ClassID
	sparse   []SparseArray
	contents *contents

	lastAddress uint64
	lastClass   ClassID
}

func (l *linker) free() {
	for i := range l.sampled {
		l.sampled[i].free()
	}
	for i := range l.tables {
		l.tables[i].free()
	}
	l.contents.free()
}

// classAt returns the class at an address.
func (l *linker) classAt(address uint64) ClassID {
	if address != l.lastAddress || address == 0 {
		l.lastAddress, l.lastClass = address, l.b.loaded.get(address)
		if l.lastClass == NoClass {
			l.lastClass = l.b.unknownClass()
		}
	}
	return l.lastClass
}

// unit resolves the references of the objects in u.
func (l *linker) unit(ctx context.Context, u unit) error {
	o, b := l.o, l.b
	o.Reset(u.start, u.end)
	l.placer.begin(u.start)
	for n := 1; ; n++ {
		if b.idSize == 8 {
			read, err := l.small(l.placer.ahead(o))
			if err != nil {
				return err
			}
			o.Consume(read)
		}
		l.placer.enter(o.Position())
		if !o.Next() {
			break
		}
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		switch o.Tag {
		case hprof.SubInstance:
			err = l.instance(o.ID, o.ClassID, o.Body(maxInstance))
		case hprof.SubObjectArray:
			if o.Count > batchRefs {
				err = l.array()
			} else {
				err = l.shortArray(o.ID, o.ClassID, o.Body(batchRefs*8))
			}
		case hprof.SubPrimArray:
			err = l.primitives(o.ID, o.Elem, o.Count, o.Body(maxCompared))
		case hprof.SubPrimArrayNoData:
			err = l.primitives(o.ID, o.Elem, o.Count, nil)
		}
		if err != nil {
			return err
		}
	}
	if err := cmp.Or(unreadable(o), l.resolve()); err != nil {
		return err
	}
	b.progress("resolving references", u.end-u.start)
	return nil
}

// place notes in which piece of the dump an object lies.
func (l *linker) place(id ObjID) {
	if l.b.placing != nil {
		l.b.placing.Set(int(id), uint32(l.placer.at))
	}
}

// resolve writes the references of the objects that wait for it.
func (l *linker) resolve() error { return l.waiting.resolve(l.b.ids, l.edges) }

// small resolves the instances and primitive arrays at the front of b that lie in it as
// a whole, and short object arrays, sub-records with ids of 8 bytes, and returns how
// many bytes they take. It does what unit does, for the most frequent kinds of
// sub-records and without a call to read each.
func (l *linker) small(b []byte) (at int, err error) {
	const longest = 1 + 8 + 4 + 8 + 4 // tag, id, trace, class, length of an instance
	for len(b)-at >= longest {
		head := b[at : at+longest : at+longest]
		id, next := binary.BigEndian.Uint64(head[1:]), at
		switch hprof.SubTag(head[0]) {
		case hprof.SubInstance:
			next += longest + int(binary.BigEndian.Uint32(head[21:]))
			if next > len(b) || next-at > maxInstance {
				return at, nil
			}
			err = l.instance(id, binary.BigEndian.Uint64(head[13:]), b[at+longest:next])
		case hprof.SubObjectArray: // id, trace, length, class
			n := int(binary.BigEndian.Uint32(head[13:]))
			next += longest + 8*n
			if next > len(b) || n > batchRefs {
				return at, nil
			}
			err = l.shortArray(id, binary.BigEndian.Uint64(head[17:]), b[at+longest:next])
		case hprof.SubPrimArray: // id, trace, length, type
			n, elem := binary.BigEndian.Uint32(head[13:]), hprof.Type(head[17])
			width := elem.Width(0)
			if next += 18 + width*int(n); next > len(b) || width == 0 {
				return at, nil
			}
			err = l.primitives(id, elem, n, b[at+18:next])
		default:
			return at, nil
		}
		if err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}

// primitives notes a primitive array of so many elements: its references, which are its
// class at most, and its content, nil if it is not known, if it may be that of a String.
func (l *linker) primitives(address uint64, elem hprof.Type, count uint32, body []byte) error {
	b := l.b
	id, class := b.index.id(address), b.primitives[elem&15]
	if l.b.again(id) {
		return nil
	}
	l.kinds.set(id, class, b.Layout.arraySize(int64(count), elem.Width(0)))
	l.place(id)
	if b.options.Contents && (elem == hprof.TypeByte || elem == hprof.TypeChar) && len(body) > 0 && len(body) <= maxCompared {
		if err := l.contents.add(b.memory, id, elem, body); err != nil {
			return err
		}
	}
	if err := l.room(0); err != nil {
		return err
	}
	l.waiting.add(id, b.plans[class].class, 0)
	return nil
}

// instance notes an instance: its references and what is watched of it.
func (l *linker) instance(address, classAddress uint64, body []byte) error {
	id, class := l.b.index.id(address), l.classAt(classAddress)
	if l.b.again(id) {
		return nil
	}
	p := &l.b.plans[class]
	l.kinds.put(id, p.kind)
	l.place(id)
	if err := l.room(len(p.refs)); err != nil {
		return err
	}
	if p.flag.width > 0 {
		l.b.flags.note(id, p.flag, body)
	}
	for i := range p.tables {
		t := &p.tables[i]
		if err := l.tables[t.table].add(id, body, t, l.b); err != nil {
			return err
		}
	}
	n := l.fields(p, body)
	if p.locals {
		return l.thread(id, p, n)
	}
	l.waiting.add(id, p.class, n)
	return nil
}

// fields puts the references in the body of an instance behind those that wait already,
// and returns how many there are.
func (l *linker) fields(p *linkPlan, body []byte) (n int) {
	to, size := l.waiting.free(), l.b.idSize
	whole := len(body) >= p.end
	for _, offset := range p.refs {
		var ref uint64
		switch {
		case !whole && int(offset)+size > len(body):
			continue
		case size == 8:
			ref = binary.BigEndian.Uint64(body[offset:])
		default:
			ref = uint64(binary.BigEndian.Uint32(body[offset:]))
		}
		to[n] = ref
		n += nonzero(ref)
	}
	return n
}

// elements is fields for a piece of an object array, of whole references.
func (l *linker) elements(body []byte) (n int) {
	to := l.waiting.free()
	if l.b.idSize == 8 {
		for ; len(body) >= 8; body = body[8:] {
			ref := binary.BigEndian.Uint64(body)
			to[n] = ref
			n += nonzero(ref)
		}
		return n
	}
	for ; len(body) >= 4; body = body[4:] {
		ref := uint64(binary.BigEndian.Uint32(body))
		to[n] = ref
		n += nonzero(ref)
	}
	return n
}

// nonzero returns 1 for all but 0. References are null without a rule that a processor
// could learn, so this takes no branch.
func nonzero(x uint64) int { return int((x | -x) >> 63) }

// thread writes the references of a thread that are read already, and its locals.
func (l *linker) thread(id ObjID, p *linkPlan, n int) error {
	refs := slices.Clone(l.waiting.free()[:n])
	if err := l.resolve(); err != nil {
		return err
	}
	l.b.ids(refs)
	for _, o := range l.b.locals[id] {
		refs = append(refs, uint64(o))
	}
	return l.edges.Run(uint32(id), uint32(p.class), refs)
}

// shortArray notes the references of an object array with so few elements that they fit
// into the batch.
func (l *linker) shortArray(address, classAddress uint64, body []byte) error {
	id, class, slots := l.b.index.id(address), l.classAt(classAddress), len(body)/l.b.idSize
	if l.b.again(id) {
		return nil
	}
	l.kinds.set(id, class, l.b.Layout.arraySize(int64(slots), l.b.Layout.RefBytes))
	l.place(id)
	if err := l.room(slots); err != nil {
		return err
	}
	n := l.elements(body)
	l.waiting.add(id, l.b.plans[class].class, n)
	l.filled(id, class, slots, n)
	return nil
}

// array writes the references of the current object array, however long it is.
func (l *linker) array() error {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	if l.b.again(id) {
		return nil
	}
	l.kinds.set(id, class, b.Layout.arraySize(int64(o.Count), b.Layout.RefBytes))
	l.place(id)
	if err := l.resolve(); err != nil {
		return err
	}
	if err := l.edges.Begin(uint32(id), int(o.Count)+1); err != nil {
		return err
	}
	l.edges.Add(uint32(b.plans[class].class))
	used := 0
	for chunk := o.Chunk(); len(chunk) > 0; chunk = o.Chunk() {
		for piece := range slices.Chunk(chunk, batchRefs*b.idSize) {
			n := l.elements(piece)
			used += n
			refs := l.waiting.free()[:n]
			b.ids(refs)
			l.edges.AddAll(refs)
		}
	}
	l.edges.End()
	l.filled(id, class, int(o.Count), used)
	return nil
}

// filled notes how full an object array is.
func (l *linker) filled(id ObjID, class ClassID, slots, used int) {
	if l.fills[class].Add(int64(slots), int64(used)) && slots-used >= bigSparseSlots {
		l.sparse = append(l.sparse, SparseArray{Object: id, Slots: int64(slots), Used: int64(used)})
	}
}

// room makes room for n references of another object.
func (l *linker) room(n int) error {
	if !l.waiting.full(n) {
		return nil
	}
	if err := l.resolve(); err != nil {
		return err
	}
	l.waiting.grow(n)
	return nil
}

// class writes the references of a class object.
func (l *linker) class(c ClassID) error {
	b := l.b
	k := &b.Classes[c]
	if k.Object == 0 {
		return nil
	}
	l.kinds.set(k.Object, b.mirrorClass(), b.rules.mirrorBytes(k))
	refs := b.rules.mirrorRefs(k)
	for i, address := range refs {
		refs[i] = uint64(b.at(address))
	}
	return l.edges.Run(uint32(k.Object), 0, refs)
}
