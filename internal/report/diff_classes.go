package report

import (
	"cmp"
	"slices"
	"strings"
)

// ClassDiff is a class whose numbers differ. Classes are the same where their names
// are: the instances of all loaders are added up. What a JVM numbers anew in each run
// is no part of the name (see stableName).
type ClassDiff struct {
	Class string `json:"class"`
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

// classSum is what a report says of all classes of one name.
type classSum struct {
	instances, shallow int64
	retained           *int64
}

// sumByName adds the histogram up by the classes' names.
func sumByName(r *Report) map[string]*classSum {
	sums := make(map[string]*classSum, len(r.Histogram))
	for _, c := range r.Histogram {
		name := stableName(c.Class)
		s := sums[name]
		if s == nil {
			s = &classSum{}
			sums[name] = s
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
	was, is := sumByName(before), sumByName(after)
	wasCut, isCut := before.cutAt(), after.cutAt()
	for name, a := range is {
		if b := was[name]; b != nil {
			if c, ok := compareClass(name, b, a); ok {
				all = append(all, row{c, *c.ShallowBytes.Delta})
			} else {
				d.Limits.ClassesUnchanged++
			}
			continue
		}
		all = append(all, row{appeared(name, a, before, wasCut >= 0), a.shallow - max(wasCut, 0)})
	}
	for name, b := range was {
		if is[name] == nil {
			all = append(all, row{vanished(name, b, after, isCut >= 0), max(isCut, 0) - b.shallow})
		}
	}
	slices.SortFunc(all, func(x, y row) int {
		return cmp.Or(cmp.Compare(y.grown, x.grown), cmp.Compare(x.Class, y.Class))
	})
	d.Limits.ClassRows = rows
	d.Limits.ClassesOmitted = int64(max(0, len(all)-rows))
	for _, r := range all[:min(len(all), rows)] {
		d.Classes = append(d.Classes, r.ClassDiff)
	}
}

// compareClass compares a class that both reports have; ok is false if nothing changed.
func compareClass(name string, b, a *classSum) (c ClassDiff, ok bool) {
	c = ClassDiff{
		Class:         name,
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
func appeared(name string, a *classSum, before *Report, cut bool) ClassDiff {
	if cut {
		return ClassDiff{name, ClassUnknown, change(nil, &a.instances), change(nil, &a.shallow), change(nil, a.retained)}
	}
	none := &classSum{retained: zeroRetained(before)}
	c, _ := compareClass(name, none, a)
	c.Change = ClassAppeared
	return c
}

// vanished is a class that the later report lacks, perhaps as it was cut.
func vanished(name string, b *classSum, after *Report, cut bool) ClassDiff {
	if cut {
		return ClassDiff{name, ClassUnknown, change(&b.instances, nil), change(&b.shallow, nil), change(b.retained, nil)}
	}
	none := &classSum{retained: zeroRetained(after)}
	c, _ := compareClass(name, b, none)
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
