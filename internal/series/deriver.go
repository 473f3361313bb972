package series

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Deriver turns what the polls of one target say, in order, into samples. It keeps
// the short history that values over time need; it does no I/O and reads no clock.
//
// Parts missing in a poll give no sample. The series of a tier that its poll before
// had and this one has not are marked stale. Not safe for concurrent use.
type Deriver struct {
	opts                                                                  Options
	fast, details, threads, queue, finalizer, registered, histogram, host group

	startMs  int64
	pressure pressure
	churn    churn
	old      oldTrend
	wraps    wraps
	drain    drain
}

// Options steer a Deriver.
type Options struct {
	// Labels are those that all samples carry (see TargetLabels).
	Labels []Label
	// Naming is the profile of names; NamingPrometheus if empty.
	Naming Naming
	// Memory is shared with other derivers; nil for none.
	Memory *Memory
}

// NewDeriver is a Deriver that has seen nothing.
func NewDeriver(opts Options) *Deriver {
	d := &Deriver{opts: opts}
	for _, g := range append(d.others(), &d.fast) {
		g.opts = &d.opts
	}
	return d
}

// Derive gives the samples of a snapshot.
func (d *Deriver) Derive(s *jvm.Snapshot) []Sample {
	timeMs := s.Time.UnixMilli()
	if d.restarted(s) {
		d.churn, d.old, d.wraps, d.drain = churn{}, oldTrend{}, wraps{}, drain{}
	}
	b := d.fast.at(timeMs)
	b.add(NameUp, 1)
	b.add(NameTargetUp, 1)
	b.add(NameDumping, 0)
	b.memory(s)
	b.collectors(s)
	var ratios [maxRatios]pressureRatio
	b.pressure(d.pressure.observe(ratios[:0], s))
	b.churn(d.churn.observe(s))
	b.oldRegion(d.old.observe(s))
	b.activity(s)
	b.servers(s.Servers, &d.wraps)
	samples := b.done()
	if s.Memory != nil && s.Memory.PendingFinalizers.Or(1) == 0 {
		// The queue is asked for now and then only: until it is known to be empty,
		// its last answer holds.
		samples = append(samples, d.queue.end(timeMs)...)
	}
	return samples
}

// restarted tells another JVM from the one of the last snapshot.
func (d *Deriver) restarted(s *jvm.Snapshot) bool {
	if s.Runtime == nil {
		return false
	}
	startMs, ok := s.Runtime.StartMs.Get()
	if !ok || startMs == d.startMs {
		return false
	}
	d.startMs = startMs
	return true
}

// Details gives the samples of a poll of the slow tier.
func (d *Deriver) Details(s *jvm.Details) []Sample {
	b := d.details.at(s.Time.UnixMilli())
	b.slow(s)
	return b.done()
}

// ThreadStates gives the samples of a look at the threads.
func (d *Deriver) ThreadStates(s *jvm.ThreadStates) []Sample {
	b := d.threads.at(s.Time.UnixMilli())
	b.threadStates(s)
	return b.done()
}

// Down gives the samples of a target that did not answer at the given time: it is
// down, and nothing else is known. All its other series end.
func (d *Deriver) Down(at time.Time) []Sample {
	b := d.fast.at(at.UnixMilli())
	b.add(NameUp, 0)
	b.add(NameTargetUp, 0)
	b.add(NameDumping, 0)
	samples := b.done()
	for _, g := range d.others() {
		samples = append(samples, g.end(at.UnixMilli())...)
	}
	return samples
}

// others are the groups beside the fast tier's.
func (d *Deriver) others() []*group {
	return []*group{&d.details, &d.threads, &d.queue, &d.finalizer, &d.registered, &d.histogram, &d.host}
}

// Dumping gives the sample of a target that writes a heap dump at the given time:
// whether it is up is not asked meanwhile.
func (d *Deriver) Dumping(at time.Time) []Sample {
	return []Sample{{Name: NameDumping, Target: d.opts.Labels, TimeMs: at.UnixMilli(), Value: 1}}
}
