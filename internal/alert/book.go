package alert

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of the book.
const (
	maxOpen       = 20_000
	maxCompleted  = 1000
	completedKept = 7 * 24 * time.Hour
	maxByBytes    = 100
	maxNoteBytes  = 1000
)

// The errors of acknowledging.
var (
	ErrUnknown   = errors.New("alert: there is no such alert")
	ErrNotActive = errors.New("alert: only what is active can be acknowledged")
	ErrEnded     = errors.New("alert: the settings are being taken over, try again")
)

// book holds all alerts by ID. It may be used from many goroutines.
type book struct {
	mu     sync.Mutex
	alerts map[string]*Alert
	// changed is true when a state changed since it was last saved.
	changed bool
	// left counts alerts that there was no room for.
	left int
	// ended is true when what is said now would be forgotten.
	ended bool
	// awaited are the IDs of the alerts whose end somebody is still to be told of.
	awaited func() map[string]bool
}

func newBook(awaited func() map[string]bool) *book {
	return &book{alerts: map[string]*Alert{}, awaited: awaited}
}

// Observe takes over what the rule source found at now: pending and active alerts. What
// it does not find any more is completed, or forgotten if it was only pending, but for
// what stays; nil is nothing.
func (b *book) Observe(source Source, found []Alert, stays func(*Alert) bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := make(map[string]bool, len(found))
	room := maxOpen - b.open()
	for i := range found {
		seen[found[i].ID] = true
		if b.put(&found[i], room > 0) {
			room--
		}
	}
	for id, a := range b.alerts {
		if a.Source == source && !seen[id] && (stays == nil || !stays(a)) {
			b.end(a, now)
		}
	}
	b.trim(now)
}

// put renews an alert, or adds it if there is room for one more and returns true then. An
// acknowledgement stays while it fires.
func (b *book) put(found *Alert, room bool) (added bool) {
	old, ok := b.alerts[found.ID]
	switch {
	case !ok && !room:
		b.left++
		return false
	case ok && old.State == Acknowledged && found.State == Active:
		found.State, found.Acknowledgement = Acknowledged, old.Acknowledgement
	}
	if !ok || old.State != found.State || old.Source != found.Source {
		b.changed = true
	}
	b.alerts[found.ID] = found
	return !ok
}

// open is how many alerts are not completed. mu is held.
func (b *book) open() int {
	n := 0
	for _, a := range b.alerts {
		if a.State != Completed {
			n++
		}
	}
	return n
}

// end completes an alert.
func (b *book) end(a *Alert, now time.Time) {
	switch a.State {
	case Completed:
		return
	case Pending:
		delete(b.alerts, a.ID)
	default:
		a.State, a.CompletedAt = Completed, now.UTC()
	}
	b.changed = true
}

// trim forgets completed alerts that are old, or too many and nobody waits for their end.
func (b *book) trim(now time.Time) {
	var done []*Alert
	for _, a := range b.alerts {
		if a.State == Completed {
			done = append(done, a)
		}
	}
	slices.SortFunc(done, func(x, y *Alert) int { return y.CompletedAt.Compare(x.CompletedAt) })
	var awaited map[string]bool
	if len(done) > maxCompleted {
		awaited = b.awaited()
	}
	for i, a := range done {
		if i >= maxCompleted && !awaited[a.ID] || now.Sub(a.CompletedAt) > completedKept {
			delete(b.alerts, a.ID)
			b.changed = true
		}
	}
}

// Retain completes the alerts of rules that are not among sources: they are gone. Those of
// a name in moved stay: it may be that their rule has another source now.
func (b *book) Retain(sources map[Source]bool, moved map[string]bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.alerts {
		if !sources[a.Source] && !moved[a.Name()] {
			b.end(a, now)
		}
	}
}

// Acknowledge notes who takes an active alert on; a second word replaces the first. It
// returns ErrUnknown, ErrNotActive and ErrEnded.
func (b *book) Acknowledge(id, by, comment string, now time.Time) error {
	if len(by) > maxByBytes || len(comment) > maxNoteBytes {
		return fmt.Errorf("alert: a name has at most %d bytes, a comment %d", maxByBytes, maxNoteBytes)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.alerts[id]
	switch {
	case b.ended:
		return ErrEnded
	case !ok:
		return ErrUnknown
	case !a.firing():
		return ErrNotActive
	}
	a.State, a.Acknowledgement, b.changed = Acknowledged, &Acknowledgement{By: by, Comment: comment, At: now.UTC()}, true
	return nil
}

// close takes no acknowledgements any more.
func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// Get is a copy of an alert.
func (b *book) Get(id string) (Alert, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.alerts[id]
	if !ok {
		return Alert{}, false
	}
	return a.clone(), true
}

// List is a copy of all: active ones first, then acknowledged, pending and completed
// ones; of these the worst first, then the newest.
func (b *book) List() []Alert {
	b.mu.Lock()
	out := make([]Alert, 0, len(b.alerts))
	for _, a := range b.alerts {
		out = append(out, a.clone())
	}
	b.mu.Unlock()
	order := map[State]int{Active: 0, Acknowledged: 1, Pending: 2, Completed: 3}
	slices.SortFunc(out, func(x, y Alert) int {
		c := cmp.Compare(order[x.State], order[y.State])
		if c == 0 && x.State == Completed {
			c = y.CompletedAt.Compare(x.CompletedAt)
		}
		return cmp.Or(c, cmp.Compare(rank(x.Severity()), rank(y.Severity())), y.Since.Compare(x.Since), strings.Compare(x.ID, y.ID))
	})
	return out
}

// counts are the alerts by state, and those that there was no room for.
func (b *book) counts() (byState map[State]int, left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	byState = map[State]int{}
	for _, a := range b.alerts {
		byState[a.State]++
	}
	return byState, b.left
}

// takeChanged returns all alerts if any changed its state since the last call.
func (b *book) takeChanged() ([]Alert, bool) {
	b.mu.Lock()
	changed := b.changed
	b.changed = false
	b.mu.Unlock()
	if !changed {
		return nil, false
	}
	return b.List(), true
}

// load replaces everything.
func (b *book) load(alerts []Alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.alerts)
	for i := range alerts {
		a := alerts[i].clone()
		b.alerts[a.ID] = &a
	}
	maps.DeleteFunc(b.alerts, func(id string, _ *Alert) bool { return id == "" })
}
