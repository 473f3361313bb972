package heap

import (
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
	// AtLeast, unless 0, leaves out the instances whose first field, a number, is less; of a reference
	// 1 leaves out those where it is null.
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

	// The value of column c in row i is columns[at[c]].at(i), and its upper half in the
	// column after it if it is a long.
	columns []column
	at      []int
	ids     offheap.Array[ObjID]
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

// RowNear is Row for who has an idea where the row is: it takes the less time the nearer it is.
func (t *Table) RowNear(o ObjID, guess int) int {
	i, ok := searchNear(t.Objects, o, guess)
	if !ok {
		return -1
	}
	return i
}

// Ref returns the object that a reference column refers to.
func (t *Table) Ref(row, column int) ObjID {
	if w := t.columns[t.at[column]].at(row); w != missing {
		return ObjID(w)
	}
	return 0
}

// IsNull says whether a reference column is null, not merely a reference to an
// object that the dump does not have.
func (t *Table) IsNull(row, column int) bool { return t.columns[t.at[column]].at(row) == 0 }

// missing is the value of a reference to an object that is not in the dump.
const missing = ^uint32(0)

// Int returns a primitive column of at most 32 bits, sign-extended.
func (t *Table) Int(row, column int) int64 {
	return int64(int32(t.columns[t.at[column]].at(row)))
}

// Long returns a column of type long.
func (t *Table) Long(row, column int) int64 {
	lower, upper := &t.columns[t.at[column]], &t.columns[t.at[column]+1]
	return int64(lower.at(row)) | int64(upper.at(row))<<32
}

func (t *Table) free() {
	for i := range t.columns {
		t.columns[i].free()
	}
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

// tablePlans finds the watched fields in class c.
func (b *builder) tablePlans(c ClassID) []tablePlan {
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
