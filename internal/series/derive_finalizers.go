package series

import (
	"cmp"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxClassSeries bounds the classes that get a series of their own; the others are
// summed as class="other".
const maxClassSeries = 20

// Queue gives the samples of the finalizer queue at the given time.
func (d *Deriver) Queue(q *jvm.FinalizerQueue, at time.Time) []Sample {
	b := d.queue.at(at.UnixMilli())
	if !q.Disabled {
		b.add(nameQueueClasses, float64(len(q.Classes)))
		classes := make([]classValue, len(q.Classes))
		for i, c := range q.Classes {
			classes[i] = classValue{c.Class, float64(c.Count)}
		}
		b.classes(nameQueueObjects, classes)
	}
	return b.done()
}

// FinalizerThread judges a look at the Finalizer thread while pending objects wait,
// and gives its samples.
func (d *Deriver) FinalizerThread(f *jvm.FinalizerThread, pending jvm.Opt[int64]) (FinalizerHealth, []Sample) {
	h := d.drain.observe(f, pending)
	b := d.finalizer.at(f.Time.UnixMilli())
	for _, state := range allFinalizerStates() {
		is := 0.0
		if state == h.State {
			is = 1
		}
		b.addTo(b.with(Label{"state", string(state)}), "jvm_finalizer_thread_state", is)
	}
	b.add(NameFinalizerStuck, h.StuckFor.Seconds())
	b.number("jvm_finalizer_drained_objects_per_second", h.PerSecond)
	if h.Frame != "" {
		b.addTo(b.with(Label{"frame", h.Frame}, Label{"lock", cmp.Or(jvm.StableClass(h.LockClass), "none")}, Label{"owner", cmp.Or(h.Owner, "none")}),
			"jvm_finalizer_thread_info", 1)
	}
	return h, b.done()
}

// Registered gives the samples of registered finalizers at the given time.
func (d *Deriver) Registered(r *jvm.RegisteredFinalizers, at time.Time) []Sample {
	b := d.registered.at(at.UnixMilli())
	objects := make([]classValue, len(r.Classes))
	run := make([]classValue, len(r.Classes))
	for i, c := range r.Classes {
		objects[i] = classValue{c.Class, float64(c.Objects)}
		run[i] = classValue{c.Class, float64(c.Run)}
	}
	b.classes("jvm_finalizers_registered_objects", objects)
	b.classes("jvm_finalizers_run_total", run)
	return b.done()
}

// Histogram gives the samples of a class histogram and of what it shows of
// finalizers.
func (d *Deriver) Histogram(h *jvm.ClassHistogram) []Sample {
	b := d.histogram.at(h.Time.UnixMilli())
	b.add("jvm_class_histogram_duration_seconds", h.Took.Seconds())
	classes := stableRows(h.Classes)
	for _, c := range classes[:min(len(classes), maxClassSeries)] {
		own := b.with(Label{"class", c.Class})
		b.addTo(own, "jvm_class_histogram_objects", float64(c.Objects))
		b.addTo(own, "jvm_class_histogram_bytes", float64(c.Bytes))
	}
	sign := SchedulerSignature(h)
	b.add(NameFinalizers, float64(sign.Finalizers))
	held := 0.0
	if sign.Found {
		held = float64(sign.Finalizers)
		b.addTo(b.with(Label{"class", jvm.StableClass(sign.Referent)}, Label{"task", jvm.StableClass(sign.Task)}), "apm_scheduler_held_objects", held)
	}
	b.add(NameSchedulerHeld, held)
	return b.done()
}

// classValue is the value of a class.
type classValue struct {
	class string
	value float64
}

// stable are rows under names of classes that stay, in the order given: those of one name
// are one row, to which add adds the others.
func stable[T any](rows []T, class func(row *T) *string, add func(to *T, row T)) []T {
	at := make(map[string]int, len(rows))
	out := make([]T, 0, len(rows))
	for _, row := range rows {
		name := class(&row)
		*name = jvm.StableClass(*name)
		if i, known := at[*name]; known {
			add(&out[i], row)
			continue
		}
		at[*name] = len(out)
		out = append(out, row)
	}
	return out
}

// stableRows are the rows of a histogram under names that stay, the biggest first.
func stableRows(rows []jvm.ClassUsage) []jvm.ClassUsage {
	out := stable(rows, func(row *jvm.ClassUsage) *string { return &row.Class }, func(to *jvm.ClassUsage, row jvm.ClassUsage) {
		to.Objects += row.Objects
		to.Bytes += row.Bytes
	})
	slices.SortStableFunc(out, func(a, b jvm.ClassUsage) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return out
}

// stableValues are the values of classes under names that stay, in the order given.
func stableValues(values []classValue) []classValue {
	return stable(values, func(v *classValue) *string { return &v.class }, func(to *classValue, v classValue) { to.value += v.value })
}

// classes appends one sample a class, those given first, and the sum of those past the
// bound.
func (b *builder) classes(name string, values []classValue) {
	rest := 0.0
	for i, v := range stableValues(values) {
		if i >= maxClassSeries {
			rest += v.value
			continue
		}
		b.addTo(b.with(Label{"class", v.class}), name, v.value)
	}
	if rest > 0 {
		b.addTo(b.with(Label{"class", "other"}), name, rest)
	}
}
