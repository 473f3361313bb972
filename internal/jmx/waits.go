package jmx

import (
	"slices"
	"sync"
	"time"
)

// maxWaits bounds what waits remembers: the newest ones count.
const maxWaits = 100

// waits remembers when a target was asked and when it answered, for looks at the requests in
// flight: where the agent is an application of the server, those are requests, too. It is
// safe for concurrent use.
type waits struct {
	mu sync.Mutex
	// wanted is true from the first look on: without looks nothing is remembered.
	wanted bool
	// of have no time of an answer where none came; the server may be at it still.
	of []timing
}

// want says that somebody looks.
func (w *waits) want() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = true
}

// add remembers a request. err is why it has no answer.
func (w *waits) add(t timing, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.wanted {
		return
	}
	if err != nil {
		t.received = time.Time{}
	}
	if len(w.of) == maxWaits {
		w.of = slices.Delete(w.of, 0, 1)
	}
	w.of = append(w.of, t)
}

// before forgets the requests up to that look, and returns how long each of those before it took at
// most.
func (w *waits) before(look timing) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var took []time.Duration
	later := w.of[:0]
	for _, t := range w.of {
		switch {
		case t.sent.After(look.sent):
			later = append(later, t)
		case t.sent.Equal(look.sent):
		case t.received.IsZero():
			took = append(took, look.received.Sub(t.sent))
		default:
			took = append(took, t.took())
		}
	}
	w.of = later
	return took
}
