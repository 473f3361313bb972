package heap

import (
	"context"
	"encoding/binary"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// maxInstance bounds the body of an instance that is looked into. The biggest
// that the class file format allows is 65,535 fields of 8 bytes a class.
const maxInstance = 16 << 20

// linker is one worker of the second pass.
type linker struct {
	b      *builder
	o      *hprof.Objects
	edges  *edges.Writer
	kinds  *kindWriter
	tables []rows

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
	for n := 1; o.Next(); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		switch o.Tag {
		case hprof.SubInstance:
			err = l.instance()
		case hprof.SubObjectArray:
			err = l.array()
		case hprof.SubPrimArray, hprof.SubPrimArrayNoData:
			id := b.index.id(o.ID)
			l.kinds.set(id, b.primitives[o.Elem&15], b.Layout.arraySize(int64(o.Count), o.Elem.Width(0)))
			if err = l.compare(id); err == nil {
				err = l.primitives(id)
			}
		}
		if err != nil {
			return err
		}
	}
	b.progress("resolving references", u.end-u.start)
	return nil
}

// compare notes the content of the current primitive array, if it may be that of a
// String. Errors: no memory.
func (l *linker) compare(id ObjID) error {
	o := l.o
	if !l.b.options.Contents || o.Tag != hprof.SubPrimArray || o.Elem != hprof.TypeByte && o.Elem != hprof.TypeChar || o.Count == 0 {
		return nil
	}
	if body := o.Body(maxCompared); body != nil {
		return l.contents.add(l.b.memory, id, o.Elem, body)
	}
	return nil
}

// primitives writes the references of a primitive array: its class at most.
func (l *linker) primitives(id ObjID) error {
	edge := l.b.Classes[l.b.primitives[l.o.Elem&15]].classEdge
	if edge == 0 {
		return l.edges.Empty(uint32(id))
	}
	if err := l.edges.Begin(uint32(id), 1); err != nil {
		return err
	}
	l.edges.Add(uint32(edge))
	l.edges.End()
	return nil
}

// instance resolves the current instance.
func (l *linker) instance() error {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	l.kinds.set(id, class, c.instance)
	var locals []ObjID
	if c.mayHoldLocals {
		locals = b.locals[id]
	}
	if len(c.refs) == 0 && c.classEdge == 0 && len(c.tables) == 0 && len(locals) == 0 {
		return l.edges.Empty(uint32(id))
	}
	body := o.Body(maxInstance)
	if err := l.edges.Begin(uint32(id), len(c.refs)+1+len(locals)); err != nil {
		return err
	}
	if c.classEdge != 0 {
		l.edges.Add(uint32(c.classEdge))
	}
	for _, offset := range c.refs {
		l.add(body, offset)
	}
	for _, o := range locals {
		l.edges.Add(uint32(o))
	}
	l.edges.End()
	for i := range c.tables {
		p := &c.tables[i]
		if err := l.tables[p.table].add(id, body, p, b); err != nil {
			return err
		}
	}
	return nil
}

// add appends the reference at an offset of a body, and says whether there is one.
func (l *linker) add(body []byte, offset uint32) bool {
	var a uint64
	switch {
	case uint64(offset)+uint64(l.b.idSize) > uint64(len(body)):
		return false
	case l.b.idSize == 8:
		a = binary.BigEndian.Uint64(body[offset:])
	default:
		a = uint64(binary.BigEndian.Uint32(body[offset:]))
	}
	if a == 0 {
		return false
	}
	if target := l.b.index.id(a); target != 0 {
		l.edges.Add(uint32(target))
	}
	return true
}

// array resolves the current object array.
func (l *linker) array() error {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	l.kinds.set(id, class, b.Layout.arraySize(int64(o.Count), b.Layout.RefBytes))
	if err := l.edges.Begin(uint32(id), int(o.Count)+1); err != nil {
		return err
	}
	if c.classEdge != 0 {
		l.edges.Add(uint32(c.classEdge))
	}
	slots, used := int64(o.Count), int64(0)
	for chunk := o.Chunk(); len(chunk) > 0; chunk = o.Chunk() {
		for i := uint32(0); i < uint32(len(chunk)); i += uint32(b.idSize) {
			if l.add(chunk, i) {
				used++
			}
		}
	}
	l.edges.End()
	if l.fills[class].add(slots, used) && slots-used >= bigSparseSlots {
		l.sparse = append(l.sparse, SparseArray{Object: id, Slots: slots, Used: used})
	}
	return nil
}

// class writes the references of a class object.
func (l *linker) class(c ClassID) error {
	b := l.b
	k := &b.Classes[c]
	if k.Object == 0 {
		return nil
	}
	mirror := b.classClass()
	if mirror == NoClass {
		mirror = b.unknownClass()
	}
	l.kinds.set(k.Object, mirror, b.rules.mirrorBytes(k))
	refs := b.rules.mirrorRefs(k)
	if err := l.edges.Begin(uint32(k.Object), len(refs)); err != nil {
		return err
	}
	for _, address := range refs {
		if target := b.object(address); target != 0 {
			l.edges.Add(uint32(target))
		}
	}
	l.edges.End()
	return nil
}
