package series

import (
	"hash/maphash"
	"slices"
)

// layout is the list of the series of one tier, without what tells targets apart: JVMs
// of one kind have it in common. It never changes. A nil one has no series.
type layout struct {
	// sets are the label sets in the order of use.
	sets [][]Label
	// rows are the series in their order, as they were derived, and out as they go out,
	// which under most profiles is the same slice.
	rows, out []identity
	naming    Naming
}

// identity names a series of a target.
type identity struct {
	// name is empty for a series that the profile leaves out.
	name   string
	labels []Label
}

func (s identity) is(other identity) bool {
	return s.name == other.name && (sameSlice(s.labels, other.labels) || slices.Equal(s.labels, other.labels))
}

// newLayout is the one of the samples, whose labels are among the sets.
func newLayout(samples []Sample, sets [][]Label, naming Naming) *layout {
	// Without room behind its end, where the builders of two targets would both go on.
	l := &layout{sets: slices.Clip(slices.Clone(sets)), rows: make([]identity, len(samples)), naming: naming}
	l.out = l.rows
	for i, s := range samples {
		l.rows[i] = identity{s.Name, s.Labels}
	}
	if naming == NamingOTel {
		l.out = make([]identity, len(samples))
		for i, row := range l.rows {
			l.out[i] = naming.rename(row)
		}
	}
	return l
}

func (l *layout) len() int {
	if l == nil {
		return 0
	}
	return len(l.rows)
}

// isOf tells whether the samples are of these series, in this order, with label sets of
// this layout.
func (l *layout) isOf(samples []Sample) bool {
	if len(samples) != l.len() {
		return false
	}
	for i := range samples {
		if samples[i].Name != l.rows[i].name || !sameSlice(samples[i].Labels, l.rows[i].labels) {
			return false
		}
	}
	return true
}

// rename gives samples of these series, in place, the names they go out by.
func (l *layout) rename(samples []Sample) []Sample {
	if len(samples) == 0 || &l.out[0] == &l.rows[0] {
		return samples
	}
	kept := samples[:0]
	for i, s := range samples {
		if out := l.out[i]; out.name != "" {
			s.Name, s.Labels = out.name, out.labels
			kept = append(kept, s)
		}
	}
	return kept
}

// lacking are the series that go out of this layout and not of the next.
func (l *layout) lacking(next *layout) []identity {
	if l == nil {
		return nil
	}
	// Most changes add series between the others.
	found := 0
	for _, s := range next.out {
		if found < len(l.out) && l.out[found].is(s) {
			found++
		}
	}
	if found == len(l.out) {
		return nil
	}
	alive := make(map[string]bool, len(next.out))
	for _, s := range next.out {
		alive[s.key()] = true
	}
	return slices.DeleteFunc(slices.Clone(l.out), func(s identity) bool { return s.name == "" || alive[s.key()] })
}

// key identifies a series among those of one target: labels are sorted.
func (s identity) key() string {
	b := []byte(s.name)
	for _, l := range s.labels {
		b = append(append(b, 0), l.Name...)
		b = append(append(b, 0), l.Value...)
	}
	return string(b)
}

// isLike tells whether the samples, whose labels are among the sets, would make such a layout.
func (l *layout) isLike(samples []Sample, sets [][]Label, naming Naming) bool {
	if len(samples) != len(l.rows) || naming != l.naming || !slices.EqualFunc(sets, l.sets, slices.Equal[[]Label]) {
		return false
	}
	for i, s := range samples {
		if !l.rows[i].is(identity{s.Name, s.Labels}) {
			return false
		}
	}
	return true
}

// hashOf is one of the series of the samples.
func hashOf(samples []Sample, seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	write := func(text string) {
		_, _ = h.WriteString(text)
		_ = h.WriteByte(0) // two texts are not one
	}
	for _, s := range samples {
		write(s.Name)
		for _, label := range s.Labels {
			write(label.Name)
			write(label.Value)
		}
	}
	return h.Sum64()
}
