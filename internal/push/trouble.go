package push

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// trouble is that a destination, or its queue, takes nothing.
type trouble struct {
	since time.Time
	err   error
	// lost are the samples that a queue did not take, said that the log was told of them.
	lost int
	said bool
}

// failed notes an attempt that went wrong, and tells whether it is the first one.
func (w *worker) failed(err error) (first bool) {
	t := &trouble{since: time.Now(), err: err}
	before := w.trouble.Load()
	if before != nil {
		t.since = before.since
	}
	w.trouble.Store(t)
	return before == nil
}

// noteAppend counts what the queue did not take, says that it takes nothing, and in the end
// what that cost; not each time where that comes and goes. One goroutine calls it at a time.
func (w *worker) noteAppend(samples int, err error) {
	before := w.losing.Load()
	switch {
	case err != nil:
		w.metrics.appendErrors.Inc()
		t := &trouble{since: time.Now(), err: err, lost: samples}
		if before != nil {
			t.since, t.lost, t.said = before.since, before.lost+samples, before.said
		}
		if !t.said && w.sayLost.time() {
			t.said = true
			w.log.Error("samples are lost until further notice, the queue does not take them", slog.Any("error", err))
		}
		w.losing.Store(t)
	case before != nil:
		w.losing.Store(nil)
		if before.said {
			w.log.Info("the queue takes samples again", slog.Int("samples_lost", before.lost))
		}
	}
}

// Troubles say, for people, which destinations and queues take nothing now, since when and why.
func (p *Pusher) Troubles() []string {
	p.mu.Lock()
	workers := slices.Clone(p.workers)
	p.mu.Unlock()
	var out []string
	for _, w := range workers {
		if t := w.losing.Load(); t != nil {
			out = append(out, fmt.Sprintf("Samples for %s are lost since %s, %d by now: %v", w.metrics.label, t.since.Format(time.DateTime), t.lost, t.err))
		}
		if n := w.queue.stats().inMemory; n > 0 {
			out = append(out, fmt.Sprintf("%d samples for %s are in memory alone, as the disk did not take them: make room, or see what ails it", n, w.metrics.label))
		}
		if t := w.trouble.Load(); t != nil {
			out = append(out, fmt.Sprintf("Samples for %s wait since %s: %v", w.metrics.label, t.since.Format(time.DateTime), t.err))
		}
	}
	return out
}
