package agent

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// follower is all that the agent does about one target.
type follower struct {
	watched Watched
	watcher *watcher
	// tracer is nil where transactions are not followed.
	tracer *tracer
	// stop ends it; nil before it was started.
	stop context.CancelFunc
	// gone says that the target vanished: its series are to be ended.
	gone bool
}

// newFollower builds what a target needs, without starting it. It is the i-th of n
// that begin together: they are spread over the interval, so that a thousand
// targets don't poll at once, and the first one is polled at once.
func newFollower(w Watched, i, n int, opts Options) *follower {
	f := &follower{watched: w}
	interval := opts.intervalOf(w.Target)
	f.watcher = newWatcher(w, offsetOf(interval, i, n), opts)
	if opts.Tracing != nil {
		f.tracer = newTracer(w, opts.Tracing.Interval*time.Duration(i)/time.Duration(n), opts)
	}
	return f
}

// beats is how many moments there are in an interval at which targets are polled.
// Those polled together cost the program one wake-up, which is a good part of what a
// poll costs.
const beats = 10

// offsetOf is when the i-th of n targets is polled first: on a beat of the interval.
func offsetOf(interval time.Duration, i, n int) time.Duration {
	return (interval * time.Duration(i) / time.Duration(n)).Truncate(interval / beats)
}

// run follows the target until ctx ends, ends its series if it is gone, and closes
// its client.
func (f *follower) run(ctx context.Context, gone func() bool) {
	var wg sync.WaitGroup
	if f.tracer != nil {
		wg.Go(func() { f.tracer.run(ctx) })
	}
	f.watcher.run(ctx)
	wg.Wait()
	if gone() {
		f.watcher.end(time.Now())
		if f.tracer != nil {
			f.tracer.end(time.Now())
		}
	}
	if f.watched.Close != nil {
		f.watched.Close()
	}
}

// Follow makes the given targets the ones that are watched: what is new begins,
// what is not among them any more ends with its series, and all others go on
// undisturbed. Names must be unique. It needs Options.Connect and may be called
// before and during Run.
func (a *Agent) Follow(targets []jvm.Target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := make(map[string]jvm.Target, len(targets))
	for _, t := range targets {
		wanted[t.Name()] = t
	}
	kept := a.followers[:0:0]
	before := len(a.followers)
	for _, f := range a.followers {
		if t, ok := wanted[f.watched.Target.Name()]; ok && reflect.DeepEqual(t, f.watched.Target) {
			kept = append(kept, f)
			delete(wanted, t.Name())
			continue
		}
		t, changed := wanted[f.watched.Target.Name()]
		a.leave(f, !changed || !maps.Equal(t.Labels, f.watched.Target.Labels))
	}
	added := 0
	for _, t := range targets {
		if _, ok := wanted[t.Name()]; ok {
			kept = append(kept, newFollower(a.opts.Connect(t), added, len(wanted), a.opts))
			added++
		}
	}
	if gone := before + added - len(kept); before > 0 && gone+added > 0 {
		a.opts.Logger.Info("targets have changed", slog.Int("new", added), slog.Int("gone", gone), slog.Int("targets", len(kept)))
	}
	a.followers = kept
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// leave ends a follower; gone says that its series end with it. One that was never
// started has nothing to end but its client.
func (a *Agent) leave(f *follower, gone bool) {
	f.gone = gone
	switch {
	case f.stop != nil:
		f.stop()
	case f.watched.Close != nil:
		f.watched.Close()
	}
}

// startNew starts the followers that were not yet.
func (a *Agent) startNew(ctx context.Context, wg *sync.WaitGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.followers {
		if f.stop != nil {
			continue
		}
		var own context.Context
		own, f.stop = context.WithCancel(ctx)
		wg.Go(func() {
			defer f.stop()
			f.run(own, func() bool {
				a.mu.Lock()
				defer a.mu.Unlock()
				return f.gone
			})
		})
	}
}

// all are the followers of the moment, by the names of their targets.
func (a *Agent) all() []*follower {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(slices.Values(a.followers), func(x, y *follower) int {
		return cmp.Compare(x.watched.Target.Name(), y.watched.Target.Name())
	})
}

// tracers are those of all targets.
func (a *Agent) tracers() []*tracer {
	var out []*tracer
	for _, f := range a.all() {
		if f.tracer != nil {
			out = append(out, f.tracer)
		}
	}
	return out
}
