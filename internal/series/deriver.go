package series

import (
	"math"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Deriver turns the snapshots of one target, in order, into samples. It keeps the
// short history that ratios over time need and no other state; it does no I/O and
// reads no clock. Not safe for concurrent use.
type Deriver struct {
	labels   []Label
	pressure pressure
	series   lifespans
}

// NewDeriver is a Deriver whose samples all carry labels (see TargetLabels).
func NewDeriver(labels []Label) *Deriver { return &Deriver{labels: labels} }

// Derive gives the samples of the snapshot. Parts missing in it give no sample;
// series that the snapshot before had and this one has not are marked stale.
func (d *Deriver) Derive(s *jvm.Snapshot) []Sample {
	b := &builder{base: d.labels, timeMs: s.Time.UnixMilli(), out: make([]Sample, 0, 160)}
	b.add(NameUp, 1)
	b.add(NameTargetUp, 1)
	b.add(NameDumping, 0)
	b.memory(s)
	b.collectors(s)
	for _, p := range d.pressure.observe(s) {
		b.add("jvm_gc_pressure_ratio", p.ratio, Label{"phase", string(p.phase)}, Label{"window", p.window})
	}
	b.activity(s)
	b.process(s)
	// The finalizer queue is asked for now and then only: until it is known to
	// be empty, its last answer holds.
	queueHolds := s.Queue == nil && s.Memory != nil && s.Memory.PendingFinalizers.Or(0) > 0
	return d.series.end(b.out, b.timeMs, func(old Sample) bool {
		return queueHolds && (old.Name == nameQueueObjects || old.Name == nameQueueClasses)
	})
}

// Down gives the samples of a target that did not answer at the given time: it is
// down, and nothing else is known. All its other series end.
func (d *Deriver) Down(at time.Time) []Sample {
	b := &builder{base: d.labels, timeMs: at.UnixMilli()}
	b.add(NameUp, 0)
	b.add(NameTargetUp, 0)
	b.add(NameDumping, 0)
	return d.series.end(b.out, b.timeMs, func(Sample) bool { return false })
}

// Dumping gives the sample of a target that writes a heap dump at the given time:
// whether it is up is not asked meanwhile.
func (d *Deriver) Dumping(at time.Time) []Sample {
	b := &builder{base: d.labels, timeMs: at.UnixMilli()}
	b.add(NameDumping, 1)
	return b.out
}

// builder collects samples of one instant.
type builder struct {
	base   []Label
	timeMs int64
	out    []Sample
}

// add appends a sample unless its value is not finite.
func (b *builder) add(name string, value float64, own ...Label) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	labels := b.base
	if len(own) > 0 {
		labels = With(b.base, own...)
	}
	b.out = append(b.out, Sample{Name: name, Labels: labels, TimeMs: b.timeMs, Value: value})
}

// count appends an integer divided by the given divisor if it is known.
func (b *builder) count(name string, v jvm.Opt[int64], divisor float64, own ...Label) {
	if n, ok := v.Get(); ok {
		b.add(name, float64(n)/divisor, own...)
	}
}

func (b *builder) share(name string, v jvm.Opt[float64]) {
	if f, ok := v.Get(); ok {
		b.add(name, f)
	}
}

func (b *builder) usage(prefix string, u jvm.Usage, own ...Label) {
	b.count(prefix+"used_bytes", u.Used, 1, own...)
	b.count(prefix+"committed_bytes", u.Committed, 1, own...)
	b.count(prefix+"max_bytes", u.Max, 1, own...)
	b.count(prefix+"init_bytes", u.Init, 1, own...)
}
