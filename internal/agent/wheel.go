package agent

import (
	"context"
	"slices"
	"sync"
	"time"
)

// wheel does the rounds of all targets, each at its own moments. A target that waits for
// its next round costs a place in a list: no goroutine, whose stack every collection of
// garbage would look at, and no timer. Those with the same moment begin together, which
// wakes the program once. The zero value is ready but for sooner. Safe for concurrent use.
type wheel struct {
	crew crew
	// sooner has a value when a turn has come before all others since it was last taken.
	sooner chan struct{}

	mu sync.Mutex
	// waiting are the turns that are not under way, by the time of their next round.
	waiting []*turn
}

// turn has a round done at every interval. Rounds of one turn never overlap.
type turn struct {
	interval time.Duration
	// round is done by one of the crew, and told how long after its moment it begins; missed
	// is told afterwards how many moments went by meanwhile, if any did: they are left out.
	round  func(late time.Duration)
	missed func(n int)

	// The rest belongs to the wheel. shift is the round with what comes after it.
	shift func()
	next  time.Time
	// ended is closed when the round that is under way is over; nil unless somebody
	// waits for that, having stopped the turn.
	ended chan struct{}
}

// newWheel is one for rounds of which so many as asking tells wait for their targets.
func newWheel(asking func() int) *wheel {
	return &wheel{crew: crew{asking: asking}, sooner: make(chan struct{}, 1)}
}

// start has the rounds of a turn done, the first one at the given time.
func (w *wheel) start(t *turn, first time.Time) {
	t.next = first
	t.shift = func() {
		t.round(time.Since(t.next))
		w.again(t)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait(t)
}

// again lets a turn wait for its next round, unless it was stopped.
func (w *wheel) again(t *turn) {
	t.next = t.next.Add(t.interval)
	if late := time.Since(t.next); late > 0 {
		n := late/t.interval + 1
		t.next = t.next.Add(n * t.interval)
		t.missed(int(n))
	}
	w.enter(t)
}

// enter has a turn that is not under way wait, unless it was stopped.
func (w *wheel) enter(t *turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.ended != nil {
		close(t.ended)
		return
	}
	w.wait(t)
}

// wait enters a turn; the caller holds the lock. Most come last.
func (w *wheel) wait(t *turn) {
	at, _ := slices.BinarySearchFunc(w.waiting, t.next, func(other *turn, next time.Time) int {
		if other.next.After(next) {
			return 1
		}
		return -1
	})
	w.waiting = slices.Insert(w.waiting, at, t)
	if at > 0 {
		return
	}
	select {
	case w.sooner <- struct{}{}:
	default:
	}
}

// stop ends a turn; when it returns, none of its rounds is under way.
func (w *wheel) stop(t *turn) {
	w.mu.Lock()
	at := slices.Index(w.waiting, t)
	if at >= 0 {
		w.waiting = slices.Delete(w.waiting, at, at+1)
		w.mu.Unlock()
		return
	}
	t.ended = make(chan struct{})
	w.mu.Unlock()
	<-t.ended
}

// run has rounds done until ctx ends, and returns when none is under way.
func (w *wheel) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		w.begin(ctx, w.due(time.Now()))
		timer.Reset(w.untilNext(time.Now()))
		select {
		case <-ctx.Done():
		case <-w.sooner:
		case <-timer.C:
		}
	}
	w.crew.end()
}

// begin has the rounds of turns done as soon as the crew has room for them; no more begin once
// ctx ends.
func (w *wheel) begin(ctx context.Context, due []*turn) {
	for _, t := range due {
		w.crew.await(ctx)
		if ctx.Err() != nil {
			w.enter(t)
			continue
		}
		w.crew.do(t.shift)
	}
}

// due takes the turns out whose time has come.
func (w *wheel) due(now time.Time) []*turn {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.waiting) && !w.waiting[n].next.After(now) {
		n++
	}
	due := slices.Clone(w.waiting[:n])
	w.waiting = slices.Delete(w.waiting, 0, n)
	return due
}

// untilNext is the time until somebody's turn comes, long if nobody waits.
func (w *wheel) untilNext(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return never
	}
	return w.waiting[0].next.Sub(now)
}
