package heap

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Watch asks for the values of some fields of all instances of a class and of
// its subclasses.
type Watch struct {
	// Class is the class's name as Java source writes it.
	Class string
	// Fields are the columns of the table.
	Fields []FieldName
	// AtLeast, unless 0, leaves out the instances whose first field, a number, is less.
	AtLeast int64
}

// FieldName names a field by the class that declares it: java.lang.ref.Finalizer
// has two fields called next.
type FieldName struct {
	Class, Field string
	// Long is set for fields of type long, which take two words in a Table.
	Long bool
}

// words returns how many words a value takes.
func (f FieldName) words() int {
	if f.Long {
		return 2
	}
	return 1
}

// stride returns how many words a row takes.
func (w *Watch) stride() (words int) {
	for _, f := range w.Fields {
		words += f.words()
	}
	return words
}

// Table holds the values that a Watch asked for, a row for each instance, in the
// order of their ObjIDs.
type Table struct {
	// Objects are the instances; row i describes Objects[i].
	Objects []ObjID
	// Found says which columns the dump knows; the others are all zero.
	Found []bool

	// The value of column c in row i is words[i*stride+at[c]], followed by its upper
	// half if it is a long.
	words  offheap.Array[uint32]
	stride int
	at     []int
	ids    offheap.Array[ObjID]
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
func (t *Table) Ref(row, column int) ObjID {
	if w := t.words.Items[row*t.stride+t.at[column]]; w != missing {
		return ObjID(w)
	}
	return 0
}

// IsNull says whether a reference column is null, not merely a reference to an
// object that the dump does not have.
func (t *Table) IsNull(row, column int) bool { return t.words.Items[row*t.stride+t.at[column]] == 0 }

// missing is the value of a reference to an object that is not in the dump.
const missing = ^uint32(0)

// Int returns a primitive column of at most 32 bits, sign-extended.
func (t *Table) Int(row, column int) int64 {
	return int64(int32(t.words.Items[row*t.stride+t.at[column]]))
}

// Long returns a column of type long.
func (t *Table) Long(row, column int) int64 {
	i := row*t.stride + t.at[column]
	return int64(t.words.Items[i]) | int64(t.words.Items[i+1])<<32
}

func (t *Table) free() {
	t.words.Free()
	t.ids.Free()
}

// tablePlan says where in the bodies of one class the columns of a table lie.
type tablePlan struct {
	table   int
	offsets []int32 // by column, -1 for none
	types   []hprof.Type
	wide    []bool
	atLeast int64
}

// plan finds the watched fields in class c.
func (b *builder) plan(c ClassID) []tablePlan {
	var plans []tablePlan
	for i, w := range b.options.Watches {
		if !b.IsSubclass(c, w.Class) {
			continue
		}
		p := tablePlan{table: i, offsets: make([]int32, len(w.Fields)), types: make([]hprof.Type, len(w.Fields)), wide: make([]bool, len(w.Fields)), atLeast: w.AtLeast}
		for j, f := range w.Fields {
			p.offsets[j], p.types[j] = b.fieldOffset(c, f)
			p.wide[j] = f.Long
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
	objects offheap.List[ObjID]
	words   offheap.List[uint32]
	last    ObjID
	mixed   bool     // the objects do not come in order
	order   []uint32 // since sort, where they do not: the rows by object
}

func (r *rows) free() {
	r.objects.Free()
	r.words.Free()
}

// value returns the value of a column, 0 where the class has none.
func (p *tablePlan) value(column int, body []byte, idSize int) uint64 {
	offset, width := p.offsets[column], p.types[column].Width(idSize)
	if offset < 0 || int(offset)+width > len(body) {
		return 0
	}
	return readValue(body[offset:], p.types[column], width)
}

// add appends the row of one instance. Errors: no memory.
func (r *rows) add(id ObjID, body []byte, p *tablePlan, b *builder) error {
	if p.atLeast > 0 && int64(p.value(0, body, b.idSize)) < p.atLeast {
		return nil
	}
	if err := r.objects.Append(b.memory, id); err != nil {
		return err
	}
	r.mixed, r.last = r.mixed || id < r.last, id
	for i := range p.offsets {
		v := p.value(i, body, b.idSize)
		if p.types[i] == hprof.TypeObject && v != 0 {
			if v = uint64(b.index.id(v)); v == 0 {
				v = uint64(missing)
			}
		}
		if err := r.words.Append(b.memory, uint32(v)); err != nil {
			return err
		}
		if p.wide[i] {
			if err := r.words.Append(b.memory, uint32(v>>32)); err != nil {
				return err
			}
		}
	}
	return nil
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

// newTable joins the workers' parts of a table in the order of the objects. Errors: no
// memory.
func newTable(m *offheap.Memory, w Watch, parts []*rows, found []bool) (t *Table, err error) {
	t = &Table{Found: found, stride: w.stride()}
	at := 0
	for _, f := range w.Fields {
		t.at = append(t.at, at)
		at += f.words()
	}
	n := 0
	for i := range parts {
		parts[i].sort()
		n += parts[i].objects.Len()
	}
	if t.ids, err = offheap.Make[ObjID](m, n); err != nil {
		return nil, err
	}
	if t.words, err = offheap.Make[uint32](m, n*t.stride); err != nil {
		t.free()
		return nil, err
	}
	t.Objects = t.ids.Items
	next := make([]int, len(parts))
	for row := range n {
		least, first := -1, ObjID(0)
		for i := range parts {
			if p := parts[i]; next[i] < p.objects.Len() {
				if o := p.objects.At(p.row(next[i])); least < 0 || o < first {
					least, first = i, o
				}
			}
		}
		p := parts[least]
		from := p.row(next[least]) * t.stride
		t.Objects[row] = first
		for k := range t.stride {
			t.words.Items[row*t.stride+k] = p.words.At(from + k)
		}
		next[least]++
	}
	return t, nil
}

// row returns the place of the k-th row in the order of the objects.
func (r *rows) row(k int) int {
	if r.order == nil {
		return k
	}
	return int(r.order[k])
}

// sort finds the order of the objects, in which most dumps have them already.
func (r *rows) sort() {
	if !r.mixed {
		return
	}
	r.order = make([]uint32, r.objects.Len())
	for i := range r.order {
		r.order[i] = uint32(i)
	}
	slices.SortFunc(r.order, func(a, b uint32) int { return cmp.Compare(r.objects.At(int(a)), r.objects.At(int(b))) })
}
