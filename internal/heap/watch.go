package heap

import (
	"encoding/binary"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Watch asks for the values of some fields of all instances of a class and of
// its subclasses.
type Watch struct {
	// Class is the class's name as Java source writes it.
	Class string
	// Fields are the columns of the table.
	Fields []FieldName
}

// FieldName names a field by the class that declares it: java.lang.ref.Finalizer
// has two fields called next.
type FieldName struct{ Class, Field string }

// Table holds the values that a Watch asked for, a row for each instance, in the
// order of their ObjIDs.
type Table struct {
	// Objects are the instances; row i describes Objects[i].
	Objects []ObjID
	// Found says which columns the dump knows; the others are all zero.
	Found []bool

	columns int
	values  []uint64 // row i is values[i*columns:][:columns]
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.Objects) }

// Row returns the row of an object, -1 if it has none.
func (t *Table) Row(o ObjID) int {
	i, ok := slices.BinarySearch(t.Objects, o)
	if !ok {
		return -1
	}
	return i
}

// Ref returns the object that a reference column refers to.
func (t *Table) Ref(row, column int) ObjID { return ObjID(t.values[row*t.columns+column]) }

// IsNull says whether a reference column is null, not merely a reference to an
// object that the dump does not have.
func (t *Table) IsNull(row, column int) bool { return t.values[row*t.columns+column] == 0 }

// missing is the value of a reference to an object that is not in the dump. Cut
// to an ObjID it is 0.
const missing = 1 << 32

// Int returns a primitive column, sign-extended.
func (t *Table) Int(row, column int) int64 { return int64(t.values[row*t.columns+column]) }

// tablePlan says where in the bodies of one class the columns of a table lie.
type tablePlan struct {
	table   int
	offsets []int32 // by column, -1 for none
	types   []hprof.Type
}

// plan finds the watched fields in class c.
func (b *builder) plan(c ClassID) []tablePlan {
	var plans []tablePlan
	for i, w := range b.options.Watches {
		if !b.IsSubclass(c, w.Class) {
			continue
		}
		p := tablePlan{table: i, offsets: make([]int32, len(w.Fields)), types: make([]hprof.Type, len(w.Fields))}
		for j, f := range w.Fields {
			p.offsets[j], p.types[j] = b.fieldOffset(c, f)
		}
		plans = append(plans, p)
	}
	return plans
}

// fieldOffset returns where in the body of an instance of c the field lies, -1 if
// there is none.
func (b *builder) fieldOffset(c ClassID, name FieldName) (int32, hprof.Type) {
	for f := range b.fields(c) {
		if f.Class.Name == name.Class && f.Field.Name == name.Field {
			return int32(f.BodyOffset), f.Field.Type
		}
	}
	return -1, 0
}

// rows is a worker's part of a table.
type rows struct {
	objects []ObjID
	values  []uint64
}

// add appends the row of one instance.
func (r *rows) add(id ObjID, body []byte, p *tablePlan, idSize int, x *index) {
	r.objects = append(r.objects, id)
	for i, offset := range p.offsets {
		var v uint64
		width := p.types[i].Width(idSize)
		if offset >= 0 && int(offset)+width <= len(body) {
			v = readValue(body[offset:], p.types[i], width)
			if p.types[i] == hprof.TypeObject && v != 0 {
				if v = uint64(x.id(v)); v == 0 {
					v = missing
				}
			}
		}
		r.values = append(r.values, v)
	}
}

// readValue decodes a value of the given width, integers sign-extended.
func readValue(b []byte, t hprof.Type, width int) uint64 {
	switch width {
	case 1:
		return uint64(int64(int8(b[0])))
	case 2:
		if t == hprof.TypeChar {
			return uint64(binary.BigEndian.Uint16(b))
		}
		return uint64(int64(int16(binary.BigEndian.Uint16(b))))
	case 4:
		if t == hprof.TypeInt {
			return uint64(int64(int32(binary.BigEndian.Uint32(b))))
		}
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

// newTable joins the workers' parts of a table.
func newTable(columns int, parts []rows, found []bool) *Table {
	t := &Table{columns: columns, Found: found}
	n := 0
	for _, p := range parts {
		n += len(p.objects)
	}
	type place struct {
		id   ObjID
		part int32
		row  int32
	}
	places := make([]place, 0, n)
	for i, p := range parts {
		for j, id := range p.objects {
			places = append(places, place{id, int32(i), int32(j)})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	t.Objects, t.values = make([]ObjID, n), make([]uint64, 0, n*columns)
	for i, p := range places {
		t.Objects[i] = p.id
		t.values = append(t.values, parts[p.part].values[int(p.row)*columns:][:columns]...)
	}
	return t
}
