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
	wheel  *wheel
	// place tells when in its intervals the target has its turns.
	place place
	turns []*turn
	// stop ends the rounds; nil before it was started.
	stop context.CancelFunc
	// gone says of one that is to be ended that the target vanished, and its series with it.
	gone bool
}

// newFollower builds what a target needs, without starting it.
func newFollower(w Watched, p place, left leftover, opts Options) *follower {
	f := &follower{watched: w, watcher: newWatcher(w, left, opts), wheel: opts.wheel, place: p}
	if opts.Tracing != nil {
		f.tracer = newTracer(w, opts, f.watcher.own.handed)
	}
	return f
}

// beats is how many moments there are in an interval at which targets are asked. Those
// asked together cost the program one wake-up, which is a good part of what a
// poll costs.
const beats = 10

// place is that of the i-th of n targets that begin together: they are spread over the
// interval, so that a thousand of them are not asked at once, and the first one is asked
// at once.
type place struct{ i, n int }

// in is where an interval has the place: on one of its beats.
func (p place) in(interval time.Duration) time.Duration {
	return (interval * time.Duration(p.i) / time.Duration(p.n)).Truncate(interval / beats)
}

// start has the target's rounds done, until ctx or the follower ends. now is the same for
// all that begin together.
func (f *follower) start(ctx context.Context, now time.Time) {
	ctx, f.stop = context.WithCancel(ctx)
	poll := f.watcher.turn(ctx)
	f.turns = append(f.turns, poll)
	f.wheel.start(poll, now.Add(f.place.in(poll.interval)))
	if f.tracer != nil {
		look := f.tracer.turn(ctx)
		f.turns = append(f.turns, look)
		f.wheel.start(look, now.Add(f.place.in(look.interval)))
	}
}

// end ends what was started, waits for the rounds under way, ends the target's series if
// it is gone, and closes its client.
func (f *follower) end(gone bool) {
	f.stop()
	for _, t := range f.turns {
		f.wheel.stop(t)
	}
	f.watcher.withdraw()
	if gone {
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
	added, together := 0, newMuster(len(wanted), a.opts.Logger)
	var left leftovers
	if len(wanted) > 0 {
		left = a.opts.Capture.leftovers()
	}
	for _, t := range targets {
		if _, ok := wanted[t.Name()]; ok {
			f := newFollower(a.opts.Connect(t), place{added, len(wanted)}, left.of(t), a.opts)
			f.watcher.muster = together
			kept = append(kept, f)
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
		a.leaving = append(a.leaving, f)
	default:
		f.watcher.withdraw()
		if f.watched.Close != nil {
			f.watched.Close()
		}
	}
}

// startNew starts the followers that were not yet.
func (a *Agent) startNew(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for _, f := range a.followers {
		if f.stop == nil {
			f.start(ctx, now)
		}
	}
}

// endLeaving ends the followers that are leaving; wg waits for it.
func (a *Agent) endLeaving(wg *sync.WaitGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.leaving {
		wg.Go(func() { f.end(f.gone) })
	}
	a.leaving = nil
}

// started are all followers that were started and are not leaving.
func (a *Agent) started() []*follower {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.followers), func(f *follower) bool { return f.stop == nil })
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
