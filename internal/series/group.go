package series

import (
	"math"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// group is the series of one tier of one target. It knows which of them are alive,
// and as most polls have the series of the one before, it makes no labels anew.
type group struct {
	opts *Options
	// alive are the series of the last instant; nil before the first.
	alive *layout
}

// builder collects the samples of one instant of a group.
type builder struct {
	group  *group
	timeMs int64
	// sets are label sets in the order of use: those of the layout that is alive, until
	// one is wanted that is not the next of them, and new ones from there on.
	sets [][]Label
	used int
	out  []Sample
}

// at begins an instant.
func (g *group) at(timeMs int64) *builder {
	b := &builder{group: g, timeMs: timeMs}
	if g.alive != nil {
		b.sets = g.alive.sets
	}
	b.out = g.opts.Memory.take(g.alive.len() + 8)
	return b
}

// with are a series' own labels, which must be given sorted by name; an empty one and
// one that the target has already are left out.
func (b *builder) with(own ...Label) []Label {
	own = besides(b.group.opts.Labels, own)
	i := b.used
	b.used++
	if i < len(b.sets) {
		if slices.Equal(b.sets[i], own) {
			return b.sets[i]
		}
		b.sets = slices.Clip(b.sets[:i]) // the others are not ours to overwrite
	}
	set := slices.Clone(own)
	b.sets = append(b.sets, set)
	return set
}

// add appends a sample without labels of its own unless its value is not finite.
func (b *builder) add(name string, value float64) { b.addTo(nil, name, value) }

// addTo appends a sample with labels that with gave.
func (b *builder) addTo(labels []Label, name string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	b.out = append(b.out, Sample{Name: name, Target: b.group.opts.Labels, Labels: labels, TimeMs: b.timeMs, Value: value})
}

// count appends an integer divided by the given divisor if it is known.
func (b *builder) count(labels []Label, name string, v jvm.Opt[int64], divisor float64) {
	if n, ok := v.Get(); ok {
		b.addTo(labels, name, float64(n)/divisor)
	}
}

// number appends a number without labels of its own if it is known.
func (b *builder) number(name string, v jvm.Opt[float64]) {
	if f, ok := v.Get(); ok {
		b.add(name, f)
	}
}

// done ends the instant: its samples, under the names that the profile gives them,
// and a staleness marker for each series that was alive before and is not among
// them.
func (b *builder) done() []Sample {
	g := b.group
	if g.alive.isOf(b.out) {
		return g.alive.rename(b.out)
	}
	before := g.alive
	g.alive = b.layout()
	b.out = g.alive.rename(b.out)
	for _, ended := range before.lacking(g.alive) {
		b.out = append(b.out, Sample{Name: ended.name, Target: g.opts.Labels, Labels: ended.labels, TimeMs: b.timeMs, Value: Stale()})
	}
	return b.out
}

// layout is that of the instant, which most often another target has already.
func (b *builder) layout() *layout {
	memory, sets, naming := b.group.opts.Memory, b.sets[:b.used], b.group.opts.Naming
	if known := memory.known(b.out, sets, naming); known != nil {
		return known
	}
	b.dropTwins()
	l := newLayout(b.out, sets, naming)
	memory.share(l, b.out)
	return l
}

// dropTwins leaves the first of the samples of one series: a JVM may have two MBeans of one
// name, and a series has one value at a time.
func (b *builder) dropTwins() {
	seen := make(map[string]bool, len(b.out))
	b.out = slices.DeleteFunc(b.out, func(s Sample) bool {
		key := identity{s.Name, s.Labels}.key()
		twin := seen[key]
		seen[key] = true
		return twin
	})
}

// end gives a staleness marker for every series alive.
func (g *group) end(timeMs int64) []Sample {
	if g.alive.len() == 0 {
		return nil
	}
	return g.at(timeMs).done()
}
