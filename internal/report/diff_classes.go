package report

import (
	"cmp"
	"slices"
	"strings"
)

// ClassDiff is a class whose numbers differ. Classes are the same where their names
// are, and where both reports tell, the classes and names of their loaders: what is the
// same is added up. What a JVM numbers anew in each run is no part of a name (see
// stableName).
type ClassDiff struct {
	Class string `json:"class"`
	// Loader is the loader's label (see LoaderRow.Label); empty if a report lacks it.
	Loader string `json:"loader,omitempty"`
	// Change is one of the Class constants.
	Change       ClassChange `json:"change"`
	Instances    Change      `json:"instances"`
	ShallowBytes Change      `json:"shallow_bytes"`
	// RetainedBytes is absent where a report has no retained sizes.
	RetainedBytes Change `json:"retained_bytes,omitzero"`
}

// ClassChange is what became of a class.
type ClassChange string

// What becomes of classes. Unknown is a class that one report has and the other one,
// whose histogram was cut, may have left out.
const (
	ClassGrew     ClassChange = "grew"
	ClassShrank   ClassChange = "shrank"
	ClassAppeared ClassChange = "appeared"
	ClassVanished ClassChange = "vanished"
	ClassUnknown  ClassChange = "unknown"
)

// classKey tells classes apart.
type classKey struct{ class, loader string }

// loaderLabels returns the labels of a report's loaders by address, nil if it has not
// all of them.
func loaderLabels(r *Report) map[string]string {
	if len(r.Loaders) == 0 || r.Limits.LoadersOmitted > 0 {
		return nil
	}
	labels := make(map[string]string, len(r.Loaders))
	for _, l := range r.Loaders {
		labels[l.Loader] = l.Label()
	}
	return labels
}

// classSum is what a report says of all classes of one key.
type classSum struct {
	instances, shallow int64
	retained           *int64
}

// sumByKey adds the histogram up by the classes' names, and their loaders' labels if
// there are some.
func sumByKey(r *Report, labels map[string]string) map[classKey]*classSum {
	sums := make(map[classKey]*classSum, len(r.Histogram))
	for _, c := range r.Histogram {
		key := classKey{stableName(c.Class), labels[c.Loader]}
		s := sums[key]
		if s == nil {
			s = &classSum{}
			sums[key] = s
		}
		s.instances += c.Instances
		s.shallow += c.ShallowBytes
		if c.RetainedBytes != nil {
			if s.retained == nil {
				s.retained = new(int64)
			}
			*s.retained += *c.RetainedBytes
		}
	}
	return sums
}

// stableName returns the name of a class without what differs from run to run: the
// address of a hidden class, and the number of a lambda.
func stableName(class string) string {
	if i := strings.LastIndexAny(class, "+."); i > 0 && strings.HasPrefix(class[i+1:], "0x") {
		class = class[:i]
	}
	if i := strings.LastIndex(class, lambda+"$"); i >= 0 && strings.Trim(class[i+len(lambda)+1:], "0123456789") == "" {
		class = class[:i+len(lambda)]
	}
	return class
}

// lambda is what the JDK ends the names of the classes of lambdas with.
const lambda = "$$Lambda"

// cutAt returns the most bytes that a class may have which the histogram left out, -1
// if it left out none.
func (r *Report) cutAt() int64 {
	if r.Limits.HistogramOmitted == 0 {
		return -1
	}
	if len(r.Histogram) == 0 {
		return r.Heap.ShallowBytes
	}
	return r.Histogram[len(r.Histogram)-1].ShallowBytes
}

// compareClasses fills the classes and their limits.
func (d *Diff) compareClasses(before, after *Report, rows int) {
	type row struct {
		ClassDiff
		grown int64 // at least, in bytes
	}
	all := []row{}
	wasLabels, isLabels := loaderLabels(before), loaderLabels(after)
	if wasLabels == nil || isLabels == nil {
		wasLabels, isLabels = nil, nil
	}
	was, is := sumByKey(before, wasLabels), sumByKey(after, isLabels)
	wasCut, isCut := before.cutAt(), after.cutAt()
	for key, a := range is {
		if b := was[key]; b != nil {
			if c, ok := compareClass(key, b, a); ok {
				all = append(all, row{c, *c.ShallowBytes.Delta})
			} else {
				d.Limits.ClassesUnchanged++
			}
			continue
		}
		all = append(all, row{appeared(key, a, before, wasCut >= 0), a.shallow - max(wasCut, 0)})
	}
	for key, b := range was {
		if is[key] == nil {
			all = append(all, row{vanished(key, b, after, isCut >= 0), max(isCut, 0) - b.shallow})
		}
	}
	slices.SortFunc(all, func(x, y row) int {
		return cmp.Or(cmp.Compare(y.grown, x.grown), cmp.Compare(x.Class, y.Class), cmp.Compare(x.Loader, y.Loader))
	})
	d.Limits.ClassRows = rows
	d.Limits.ClassesOmitted = int64(max(0, len(all)-rows))
	for _, r := range all[:min(len(all), rows)] {
		d.Classes = append(d.Classes, r.ClassDiff)
	}
}

// compareClass compares a class that both reports have; ok is false if nothing changed.
func compareClass(key classKey, b, a *classSum) (c ClassDiff, ok bool) {
	c = ClassDiff{
		Class:         key.class,
		Loader:        key.loader,
		Change:        ClassGrew,
		Instances:     change(&b.instances, &a.instances),
		ShallowBytes:  change(&b.shallow, &a.shallow),
		RetainedBytes: change(b.retained, a.retained),
	}
	for _, n := range []Change{c.ShallowBytes, c.Instances, c.RetainedBytes} {
		if n.moved() {
			if *n.Delta < 0 {
				c.Change = ClassShrank
			}
			return c, true
		}
	}
	return c, false
}

// appeared is a class that the earlier report lacks, perhaps as it was cut.
func appeared(key classKey, a *classSum, before *Report, cut bool) ClassDiff {
	if cut {
		return ClassDiff{key.class, key.loader, ClassUnknown, change(nil, &a.instances), change(nil, &a.shallow), change(nil, a.retained)}
	}
	none := &classSum{retained: zeroRetained(before)}
	c, _ := compareClass(key, none, a)
	c.Change = ClassAppeared
	return c
}

// vanished is a class that the later report lacks, perhaps as it was cut.
func vanished(key classKey, b *classSum, after *Report, cut bool) ClassDiff {
	if cut {
		return ClassDiff{key.class, key.loader, ClassUnknown, change(&b.instances, nil), change(&b.shallow, nil), change(b.retained, nil)}
	}
	none := &classSum{retained: zeroRetained(after)}
	c, _ := compareClass(key, b, none)
	c.Change = ClassVanished
	return c
}

// zeroRetained is what a class without instances retains: nothing, where the report
// has retained sizes at all.
func zeroRetained(r *Report) *int64 {
	if slices.ContainsFunc(r.Histogram, func(c ClassRow) bool { return c.RetainedBytes != nil }) {
		return new(int64)
	}
	return nil
}
