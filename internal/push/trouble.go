package push

import (
	"fmt"
	"slices"
	"time"
)

// trouble is that a destination takes nothing.
type trouble struct {
	since time.Time
	err   error
}

// failed notes an attempt that went wrong, and tells whether it is the first one.
func (w *worker) failed(err error) (first bool) {
	t := &trouble{time.Now(), err}
	before := w.trouble.Load()
	if before != nil {
		t.since = before.since
	}
	w.trouble.Store(t)
	return before == nil
}

// Troubles say, for people, which destinations take nothing now, since when and why.
func (p *Pusher) Troubles() []string {
	p.mu.Lock()
	workers := slices.Clone(p.workers)
	p.mu.Unlock()
	var out []string
	for _, w := range workers {
		if t := w.trouble.Load(); t != nil {
			out = append(out, fmt.Sprintf("Samples for %s wait since %s: %v", w.metrics.label, t.since.Format(time.DateTime), t.err))
		}
	}
	return out
}
