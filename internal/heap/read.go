package heap

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"unicode/utf16"

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
	// Data are the fields or elements, big-endian; of long arrays the first MiB.
	Data []byte
}

// Read reads the bodies of the given objects from the dump again and hands them
// to fn, one at a time, in no particular order. Data is valid during the call.
// Class objects have no body. Errors: that of ctx.
func (g *Graph) Read(ctx context.Context, objects []ObjID, fn func(Content)) error {
	if len(objects) == 0 {
		return nil
	}
	wanted := slices.Clone(objects)
	slices.Sort(wanted)
	low, high := g.Address(wanted[0]), g.Address(wanted[len(wanted)-1])
	var units []unit
	for _, u := range g.units {
		if u.low <= high && low <= u.high {
			units = append(units, u)
		}
	}
	var mu sync.Mutex
	return each(ctx, len(units), func() func(context.Context, int) error {
		o := hprof.NewObjects(g.file, g.file.Header.IDSize)
		return func(ctx context.Context, i int) error {
			u := units[i]
			// The first wanted object that may lie in this unit.
			from, _ := slices.BinarySearchFunc(wanted, u.low, func(id ObjID, a uint64) int {
				if g.Address(id) < a {
					return -1
				}
				return 1
			})
			if from == len(wanted) || g.Address(wanted[from]) > u.high {
				return nil
			}
			o.Reset(u.start, u.end)
			for n := 1; o.Next(); n++ {
				if n%checkEvery == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				c := Content{Object: g.index.id(o.ID), Class: g.loaded.get(o.ClassID), Count: int64(o.Count)}
				switch o.Tag {
				case hprof.SubInstance:
				case hprof.SubObjectArray:
					c.Elem = hprof.TypeObject
				case hprof.SubPrimArray:
					c.Elem, c.Class = o.Elem, g.byName[o.Elem.JavaName()+"[]"][0]
				default:
					continue
				}
				if _, ok := slices.BinarySearch(wanted, c.Object); !ok {
					continue
				}
				if c.Data = o.Body(maxRead); c.Data == nil {
					c.Data = o.Chunk()
				}
				mu.Lock()
				fn(c)
				mu.Unlock()
			}
			return nil
		}
	})
}

// Field returns the value of a field of an instance: an address for a reference,
// else the value, sign-extended. ok is false where the class has no such field.
func (g *Graph) Field(c Content, name FieldName) (value uint64, t hprof.Type, ok bool) {
	for f := range g.fields(c.Class) {
		if f.Field.Name != name.Field || name.Class != "" && f.Class.Name != name.Class {
			continue
		}
		width := f.Field.Type.Width(g.file.Header.IDSize)
		if int(f.BodyOffset)+width > len(c.Data) {
			return 0, 0, false
		}
		return readValue(c.Data[f.BodyOffset:], f.Field.Type, width), f.Field.Type, true
	}
	return 0, 0, false
}

// FieldTo returns the name of the first field of an instance that refers to
// target, "[]" for an object array, "" if there is none.
func (g *Graph) FieldTo(c Content, target ObjID) string {
	if c.Elem != 0 {
		return "[]"
	}
	address := g.Address(target)
	for f := range g.fields(c.Class) {
		if f.Field.Type != hprof.TypeObject {
			continue
		}
		width := g.file.Header.IDSize
		if int(f.BodyOffset)+width <= len(c.Data) && readValue(c.Data[f.BodyOffset:], hprof.TypeObject, width) == address {
			return f.Field.Name
		}
	}
	return ""
}

// Strings reads the values of java.lang.String and char[] objects. Others are left
// out.
//
// Source: java.lang.String of JDK 6 (value, offset, count), 7 (value) and 9
// (value, coder: 0 Latin-1, 1 UTF-16).
func (g *Graph) Strings(ctx context.Context, objects []ObjID) (map[ObjID]string, error) {
	type part struct {
		owner         ObjID
		offset, count int64
		utf16         bool
	}
	const class = "java.lang.String"
	parts := map[ObjID][]part{}
	text := map[ObjID]string{}
	err := g.Read(ctx, objects, func(c Content) {
		if c.Elem == hprof.TypeChar {
			text[c.Object] = utf16Text(c.Data, binary.BigEndian)
		}
		if g.Classes[c.Class].Name != class {
			return
		}
		value, _, ok := g.Field(c, FieldName{Class: class, Field: "value"})
		if !ok {
			return
		}
		p := part{owner: c.Object, count: -1, utf16: true}
		if coder, _, ok := g.Field(c, FieldName{Class: class, Field: "coder"}); ok {
			p.utf16 = coder == 1
		}
		if count, _, ok := g.Field(c, FieldName{Class: class, Field: "count"}); ok {
			offset, _, _ := g.Field(c, FieldName{Class: class, Field: "offset"})
			p.offset, p.count = int64(offset), int64(count)
		}
		array := g.Object(value)
		parts[array] = append(parts[array], p)
	})
	if err != nil {
		return nil, err
	}
	delete(parts, 0)
	arrays := make([]ObjID, 0, len(parts))
	for a := range parts {
		arrays = append(arrays, a)
	}
	err = g.Read(ctx, arrays, func(c Content) {
		for _, p := range parts[c.Object] {
			switch {
			case c.Elem == hprof.TypeByte && !p.utf16:
				text[p.owner] = latin1(c.Data)
			case c.Elem == hprof.TypeByte:
				text[p.owner] = utf16Text(c.Data, binary.NativeEndian)
			case c.Elem == hprof.TypeChar:
				data := c.Data
				if p.count >= 0 && p.offset >= 0 && 2*(p.offset+p.count) <= int64(len(data)) {
					data = data[2*p.offset : 2*(p.offset+p.count)]
				}
				text[p.owner] = utf16Text(data, binary.BigEndian)
			}
		}
	})
	return text, err
}

func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, x := range b {
		runes[i] = rune(x)
	}
	return string(runes)
}

// utf16Text decodes UTF-16. The char[] of a dump is big-endian; the byte[] of a
// compact string is in the order of the JVM's machine, taken to be this one's.
func utf16Text(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
