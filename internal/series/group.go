package series

import (
	"math"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// group is the series of one tier of one target. It knows which of them are alive,
// and as most polls have the series of the one before, it keeps their labels.
type group struct {
	base   []Label
	naming Naming
	memory *Memory
	// sets are the label sets of the last instant, in the order of use.
	sets [][]Label
	// alive are the series of the last instant, in its order, as they were derived,
	// and out as they go out, which under most profiles is the same slice.
	alive, out []identity
}

// identity names a series.
type identity struct {
	name   string
	labels []Label
}

// builder collects the samples of one instant of a group.
type builder struct {
	group  *group
	timeMs int64
	sets   int
	out    []Sample
}

// at begins an instant.
func (g *group) at(timeMs int64) *builder {
	return &builder{group: g, timeMs: timeMs, out: g.memory.take(len(g.alive) + 8)}
}

// with are the target's labels and the given ones, which must be sorted by name.
func (b *builder) with(own ...Label) []Label {
	g, i := b.group, b.sets
	b.sets++
	if i < len(g.sets) && isUnion(g.sets[i], g.base, own) {
		return g.sets[i]
	}
	set := With(g.base, own...)
	if i < len(g.sets) {
		g.sets[i] = set
	} else {
		g.sets = append(g.sets, set)
	}
	return set
}

// isUnion tells whether set is what With makes of base and own.
func isUnion(set, base, own []Label) bool {
	if len(set) != len(base)+len(own) {
		return false
	}
	b, o := 0, 0
	for _, l := range set {
		switch {
		case o < len(own) && l == own[o]:
			o++
		case b < len(base) && l == base[b]:
			b++
		default:
			return false
		}
	}
	return true
}

// add appends a sample with the target's labels unless its value is not finite.
func (b *builder) add(name string, value float64) { b.addTo(b.group.base, name, value) }

// addTo appends a sample with labels that with gave.
func (b *builder) addTo(labels []Label, name string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	b.out = append(b.out, Sample{Name: name, Labels: labels, TimeMs: b.timeMs, Value: value})
}

// count appends an integer divided by the given divisor if it is known.
func (b *builder) count(labels []Label, name string, v jvm.Opt[int64], divisor float64) {
	if n, ok := v.Get(); ok {
		b.addTo(labels, name, float64(n)/divisor)
	}
}

func (b *builder) share(name string, v jvm.Opt[float64]) {
	if f, ok := v.Get(); ok {
		b.add(name, f)
	}
}

// done ends the instant: its samples, under the names that the profile gives them,
// and a staleness marker for each series that was alive before and is not among
// them.
func (b *builder) done() []Sample {
	g := b.group
	if !g.unchanged(b.out) {
		b.out = g.change(b.out, b.timeMs)
		return b.out
	}
	if g.naming != NamingOTel {
		return b.out
	}
	kept := b.out[:0]
	for i, s := range b.out {
		if out := g.out[i]; out.name != "" {
			s.Name, s.Labels = out.name, out.labels
			kept = append(kept, s)
		}
	}
	return kept
}

// unchanged tells whether the samples are of the series of the instant before, in
// the same order.
func (g *group) unchanged(samples []Sample) bool {
	if len(samples) != len(g.alive) {
		return false
	}
	for i := range samples {
		if samples[i].Name != g.alive[i].name || !sameSlice(samples[i].Labels, g.alive[i].labels) {
			return false
		}
	}
	return true
}

func sameSlice(a, b []Label) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

// change makes the series of the samples the living ones and ends the others.
func (g *group) change(samples []Sample, timeMs int64) []Sample {
	before := make(map[string]identity, len(g.alive))
	for _, out := range g.out {
		if out.name != "" {
			before[key(out)] = out
		}
	}
	g.alive = make([]identity, len(samples))
	g.out = g.alive
	if g.naming == NamingOTel {
		g.out = make([]identity, len(samples))
	}
	kept := samples[:0]
	for i, s := range samples {
		out := g.naming.rename(identity{s.Name, s.Labels})
		g.alive[i] = identity{s.Name, s.Labels}
		g.out[i] = out
		if out.name == "" {
			continue
		}
		delete(before, key(out))
		s.Name, s.Labels = out.name, out.labels
		kept = append(kept, s)
	}
	for _, ended := range before {
		kept = append(kept, Sample{Name: ended.name, Labels: ended.labels, TimeMs: timeMs, Value: Stale()})
	}
	return kept
}

// end gives a staleness marker for every series alive.
func (g *group) end(timeMs int64) []Sample {
	return g.at(timeMs).done()
}

// key identifies a series among those of one target: labels are sorted.
func key(s identity) string {
	n := len(s.name)
	for _, l := range s.labels {
		n += len(l.Name) + len(l.Value) + 2
	}
	b := make([]byte, 0, n)
	b = append(b, s.name...)
	for _, l := range s.labels {
		b = append(append(b, 0), l.Name...)
		b = append(append(b, 0), l.Value...)
	}
	return string(b)
}
