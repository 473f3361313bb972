package hprof

import (
	"cmp"
	"slices"
	"sort"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// ordinals tells which record of its kind, counted from 0, has an id. A JVM numbers stacks and
// their frames one after the other, so that runs of ids are all there is to know. Of several
// records with one id the last counts. The zero value is empty.
type ordinals struct {
	ended offheap.List[idRun]
	last  idRun // goes on
	n     uint64
	runs  offheap.Array[idRun] // since seal: by first id
}

// idRun are ids that follow each other, of records that do: the first id, the place of its record,
// and how many they are.
type idRun [3]uint64

// has says whether the id is one of the run, which begins at or before it.
func (r idRun) has(id uint64) bool { return id-r[0] < r[2] }

// add notes the id of the next record. Errors: no memory.
func (o *ordinals) add(m *offheap.Memory, id uint64) (err error) {
	if o.last[2] > 0 && o.last[0]+o.last[2] == id {
		o.last[2]++
	} else {
		err = o.end(m)
		o.last = idRun{id, o.n, 1}
	}
	o.n++
	return err
}

// end ends the last run.
func (o *ordinals) end(m *offheap.Memory) error {
	if o.last[2] == 0 {
		return nil
	}
	return o.ended.Append(m, o.last)
}

// seal makes of usable. Errors: no memory.
func (o *ordinals) seal(m *offheap.Memory) error {
	if err := o.end(m); err != nil {
		return err
	}
	runs, err := offheap.Make[idRun](m, o.ended.Len())
	if err != nil {
		return err
	}
	for i := range runs.Items {
		runs.Items[i] = o.ended.At(i)
	}
	o.ended.Free()
	o.runs = runs
	o.sort()
	for i := 1; i < len(runs.Items); i++ {
		if runs.Items[i-1].has(runs.Items[i][0]) { // repeated ids
			return o.split(m)
		}
	}
	return nil
}

// sort sorts the runs by their first ids, the last record of one id first.
func (o *ordinals) sort() {
	slices.SortFunc(o.runs.Items, func(a, b idRun) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(b[1], a[1])) })
}

// split makes runs of one id each, and each id once. Errors: no memory.
func (o *ordinals) split(m *offheap.Memory) error {
	single, err := offheap.Make[idRun](m, int(o.n))
	if err != nil {
		return err
	}
	at := 0
	for _, r := range o.runs.Items {
		for k := range r[2] {
			single.Items[at] = idRun{r[0] + k, r[1] + k, 1}
			at++
		}
	}
	o.runs.Free()
	o.runs = single
	o.sort()
	o.runs.Items = slices.CompactFunc(o.runs.Items, func(a, b idRun) bool { return a[0] == b[0] })
	return nil
}

// of returns which record has the id; ok is false where none has.
func (o *ordinals) of(id uint64) (at int, ok bool) {
	runs := o.runs.Items
	i := sort.Search(len(runs), func(i int) bool { return runs[i][0] > id }) - 1
	if i < 0 || !runs[i].has(id) {
		return 0, false
	}
	return int(runs[i][1] + id - runs[i][0]), true
}

func (o *ordinals) free() {
	o.ended.Free()
	o.runs.Free()
}
