package heap

import (
	"context"
	"encoding/binary"
	"unicode/utf16"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

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
		if c.Class == NoClass || g.Classes[c.Class].Name != class {
			return
		}
		value, _, ok := g.Field(c, FieldName{Class: class, Field: "value"})
		if !ok {
			return
		}
		p := part{owner: c.Object, count: -1}
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
		if c.Count > 0 && len(c.Data) == 0 {
			return
		}
		for _, p := range parts[c.Object] {
			switch {
			case c.Elem == hprof.TypeByte && !p.utf16:
				text[p.owner] = latin1(c.Data)
			case c.Elem == hprof.TypeByte:
				text[p.owner] = utf16Text(c.Data, binary.NativeEndian)
			case c.Elem == hprof.TypeChar:
				data, chars := c.Data, int64(len(c.Data)/2)
				// Where a hostile dump's are longs, their sum may not fit into one.
				if p.offset >= 0 && p.offset <= chars && p.count >= 0 && p.count <= chars-p.offset {
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
