package hprof

import (
	"cmp"
	"slices"
	"sort"
)

// ordinals tells which record of its kind, counted from 0, has an id. A JVM numbers stacks and
// their frames one after the other, so that runs of ids are all there is to know. Of several
// records with one id the last counts. The zero value is empty.
type ordinals struct {
	runs []idRun
	n    int
}

// idRun is n ids, from the first on, of records that follow each other.
type idRun struct {
	first uint64
	at, n int
}

// add notes the id of the next record.
func (o *ordinals) add(id uint64) {
	if last := len(o.runs) - 1; last >= 0 && o.runs[last].first+uint64(o.runs[last].n) == id {
		o.runs[last].n++
	} else {
		o.runs = append(o.runs, idRun{id, o.n, 1})
	}
	o.n++
}

// seal makes of usable.
func (o *ordinals) seal() {
	byFirst := func(a, b idRun) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.at, a.at)) }
	slices.SortFunc(o.runs, byFirst)
	for i := 1; i < len(o.runs); i++ {
		if before := o.runs[i-1]; o.runs[i].first-before.first < uint64(before.n) { // repeated ids
			o.split()
			slices.SortFunc(o.runs, byFirst)
			o.runs = slices.CompactFunc(o.runs, func(a, b idRun) bool { return a.first == b.first })
			return
		}
	}
}

// split makes runs of one id each.
func (o *ordinals) split() {
	single := make([]idRun, 0, o.n)
	for _, r := range o.runs {
		for k := range r.n {
			single = append(single, idRun{r.first + uint64(k), r.at + k, 1})
		}
	}
	o.runs = single
}

// of returns which record has the id; ok is false where none has.
func (o *ordinals) of(id uint64) (at int, ok bool) {
	i := sort.Search(len(o.runs), func(i int) bool { return o.runs[i].first > id }) - 1
	if i < 0 || id-o.runs[i].first >= uint64(o.runs[i].n) {
		return 0, false
	}
	return o.runs[i].at + int(id-o.runs[i].first), true
}
