package heap

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// maxRead bounds how much of an array is read.
const maxRead = 1 << 20

// Content is the body of one object as it lies in the dump.
type Content struct {
	Object ObjID
	// Class is the object's class, NoClass if the dump does not describe it.
	Class ClassID
	// Elem is the element type of arrays, 0 for instances.
	Elem hprof.Type
	// Count is the number of elements of an array, of bytes of an instance.
	Count int64
	// Data are the fields or elements, big-endian; of long arrays the first MiB, and
	// nothing of arrays whose elements the dump leaves out, as Android's do.
	Data []byte
}

// Read reads the bodies of the given objects from the dump again and hands them
// to fn, one at a time, in no particular order. Data is valid during the call.
// Class objects have no body. Errors: that of ctx; the file was changed, or fails.
func (g *Graph) Read(ctx context.Context, objects []ObjID, fn func(Content)) error {
	return g.visit(ctx, objects, func(o *hprof.Objects, c Content) {
		c.Data = o.First(maxRead)
		fn(c)
	})
}

// visitor is called with an object of a walk and what is known of it but its data.
type visitor func(*hprof.Objects, Content)

// visit finds the given objects in the dump again and hands them to a visitor, one at a time, in no
// particular order, the body not yet read. Errors: that of ctx.
func (g *Graph) visit(ctx context.Context, objects []ObjID, v visitor) error {
	if !slices.IsSorted(objects) {
		objects = g.sorted(objects)
	}
	wanted := g.index.addresses(objects)
	units := g.holding(objects, wanted)
	if g.Repeated == 0 {
		return g.find(ctx, units, wanted, v)
	}
	first := map[ObjID]int64{} // offsets
	err := g.find(ctx, units, wanted, func(o *hprof.Objects, c Content) {
		if at, ok := first[c.Object]; !ok || o.Offset < at {
			first[c.Object] = o.Offset
		}
	})
	if err != nil {
		return err
	}
	return g.find(ctx, units, wanted, func(o *hprof.Objects, c Content) {
		if o.Offset == first[c.Object] {
			v(o, c)
		}
	})
}

// find hands the objects at the wanted addresses, which are sorted, to a visitor wherever the units
// describe them.
func (g *Graph) find(ctx context.Context, units []unit, wanted []uint64, v visitor) error {
	var mu sync.Mutex
	return g.walk(ctx, units, func() func(int, *hprof.Objects) {
		near := 0 // objects mostly lie in the order of their addresses
		return func(_ int, o *hprof.Objects) {
			var ok bool
			if near, ok = searchNear(wanted, o.ID, near); ok {
				mu.Lock()
				defer mu.Unlock()
				v(o, g.content(o, g.index.id(o.ID)))
			}
		}
	})
}

// walk hands the instances and arrays of the units, and the number of the unit, to workers, on all
// cores. Errors: that of ctx.
func (g *Graph) walk(ctx context.Context, units []unit, worker func() func(i int, o *hprof.Objects)) error {
	return each(ctx, len(units), cores.Workers(), func() func(context.Context, int) error {
		o, work := hprof.NewObjects(g.file, g.file.Header.IDSize), worker()
		return func(ctx context.Context, i int) error {
			o.Reset(units[i].start, units[i].end)
			for n := 1; o.Next(); n++ {
				if n%checkEvery == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				switch o.Tag {
				case hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray, hprof.SubPrimArrayNoData:
					work(i, o)
				}
			}
			return unreadable(o)
		}
	})
}

// unreadable returns what ended a walk over sub-records before their end, which all were read before: the
// file was changed since, or the disk fails.
func unreadable(o *hprof.Objects) error {
	switch fault := o.Err(); {
	case fault == nil:
		return nil
	case errors.Is(fault, hprof.ErrOverrun):
		return fmt.Errorf("%w: %w", edges.ErrChanged, fault)
	default:
		return fmt.Errorf("read once more: %w", fault)
	}
}

// content describes the current object of a walk, without its data.
func (g *Graph) content(o *hprof.Objects, id ObjID) Content {
	c := Content{Object: id, Count: int64(o.Count)}
	switch o.Tag {
	case hprof.SubPrimArray, hprof.SubPrimArrayNoData:
		c.Elem, c.Class = o.Elem, g.byName.first(o.Elem.JavaName()+"[]")
	case hprof.SubObjectArray:
		c.Elem = hprof.TypeObject
		fallthrough
	default:
		c.Class = g.loaded.get(o.ClassID)
	}
	return c
}

// SizeOf returns the shallow size of an object that was read.
func (g *Graph) SizeOf(c Content) int64 {
	switch {
	case c.Elem == hprof.TypeObject:
		return g.Layout.arraySize(c.Count, g.Layout.RefBytes)
	case c.Elem != 0:
		return g.Layout.arraySize(c.Count, c.Elem.Width(0))
	case c.Class == NoClass:
		return int64(g.Layout.HeaderBytes)
	}
	return g.Classes[c.Class].instance
}

// Field returns the value of a field of an instance: an address for a reference,
// else the value, sign-extended. ok is false where the class has no such field.
func (g *Graph) Field(c Content, name FieldName) (value uint64, t hprof.Type, ok bool) {
	f, ok := g.FieldNamed(c.Class, name)
	if !ok {
		return 0, 0, false
	}
	value, ok = g.ValueOf(c, f)
	return value, f.Field.Type, ok
}

// FieldNamed returns the first field of that name that instances of a class have, from the class on
// upwards; ok is false if there is none.
func (g *Graph) FieldNamed(c ClassID, name FieldName) (f DeclaredField, ok bool) {
	for f := range g.fields(c) {
		if f.Field.Name == name.Field && (name.Class == "" || f.Class.Name == name.Class) {
			return f, true
		}
	}
	return f, false
}

// ValueOf returns the value of a field of an instance, as Field does; ok is false where its data end
// before.
func (g *Graph) ValueOf(c Content, f DeclaredField) (value uint64, ok bool) {
	width := f.Field.Type.Width(g.file.Header.IDSize)
	if int(f.BodyOffset)+width > len(c.Data) {
		return 0, false
	}
	return readValue(c.Data[f.BodyOffset:], f.Field.Type, width), true
}

// FieldValue is a field of an instance with its value, an address for a reference.
type FieldValue struct {
	DeclaredField
	Value uint64
}

// FieldValues yields the fields of an instance that was read, the class's own ones
// first, as far as its data goes.
func (g *Graph) FieldValues(c Content) iter.Seq[FieldValue] {
	return func(yield func(FieldValue) bool) {
		if c.Elem != 0 {
			return
		}
		for f := range g.fields(c.Class) {
			value, ok := g.ValueOf(c, f)
			if !ok || !yield(FieldValue{f, value}) {
				return
			}
		}
	}
}

// Elements returns the first elements of an array that was read, limit at most:
// addresses, or raw values, integers sign-extended.
func (g *Graph) Elements(c Content, limit int) []uint64 {
	width := c.Elem.Width(g.file.Header.IDSize)
	if width == 0 {
		return nil
	}
	values := make([]uint64, min(limit, len(c.Data)/width))
	for i := range values {
		values[i] = readValue(c.Data[i*width:], c.Elem, width)
	}
	return values
}

// FieldTo returns the name of the first field of an instance that refers to
// target, "[]" for an object array, "" if there is none.
func (g *Graph) FieldTo(c Content, target ObjID) string {
	if c.Elem != 0 {
		return "[]"
	}
	address := g.Address(target)
	for f := range g.fields(c.Class) {
		if value, ok := g.ValueOf(c, f); ok && value == address && f.Field.Type == hprof.TypeObject {
			return f.Field.Name
		}
	}
	return ""
}
