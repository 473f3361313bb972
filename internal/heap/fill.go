package heap

// Fill tells how full the object arrays of one class are.
type Fill struct {
	Arrays int64
	// Slots is how many elements they have room for, Used how many are not null.
	Slots, Used int64
	// SparseArrays is how many of them are at most a quarter full, and SparseSlots how
	// many of their elements are null.
	SparseArrays, SparseSlots int64
}

// SparseArray is a big object array that is at most a quarter full.
type SparseArray struct {
	Object      ObjID
	Slots, Used int64
}

const (
	// sparseQuarter is the fraction of the elements, as 1/sparseQuarter, that a sparse
	// array uses at most.
	sparseQuarter = 4
	// bigSparseSlots is how many null elements make a sparse array worth a mention of
	// its own.
	bigSparseSlots = 1 << 17
)

// Add counts an array and says whether it is sparse.
func (f *Fill) Add(slots, used int64) (sparse bool) {
	f.Arrays++
	f.Slots += slots
	f.Used += used
	if used*sparseQuarter > slots || slots == 0 {
		return false
	}
	f.SparseArrays++
	f.SparseSlots += slots - used
	return true
}

// Join adds what was counted elsewhere.
func (f *Fill) Join(g Fill) {
	f.Arrays += g.Arrays
	f.Slots += g.Slots
	f.Used += g.Used
	f.SparseArrays += g.SparseArrays
	f.SparseSlots += g.SparseSlots
}
