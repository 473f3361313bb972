package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const (
	// lookInterval is the time between two looks at what there is to tell.
	lookInterval = time.Second
	// An Alertmanager is told every resend, and takes an alert for over after
	// amExpiry without a word.
	resend   = time.Minute
	amExpiry = 5 * time.Minute
	// resolvedTold is how long it is told that an alert has ended, and for longer while it
	// cannot be told.
	resolvedTold = 15 * time.Minute
	// amBatch bounds one request to it.
	amBatch = 200
	// The wait after a failure doubles. An Alertmanager's time runs meanwhile: what it takes
	// for over and is not would be told twice.
	firstRetry  = 5 * time.Second
	lastRetry   = 5 * time.Minute
	lastRetryAM = 15 * time.Second
	// refusedRetry is the wait after a message that was refused, while others were taken.
	refusedRetry = 30 * time.Second
	// freshFor is how long what alerts were is told: a slow receiver is not told what was
	// true minutes ago.
	freshFor = 5 * time.Second
)

// ungrouped is the key of what an Alertmanager was told: no group's, as those are in braces.
const ungrouped = ""

// sender tells one receiver.
type sender struct {
	receiver    Receiver
	policy      Policy
	externalURL string
	log         *slog.Logger
	sent        *metrics.Counter
	failed      *metrics.Counter

	// mu guards the rest.
	mu sync.Mutex
	// told is what a webhook knows, by group; of an Alertmanager, which groups by itself,
	// there is one under ungrouped.
	told map[string]*Told
	// changed is true when told is not what was saved last.
	changed bool
	// last and lastAt are what an Alertmanager was told last, as states by ID, and when.
	last   map[string]State
	lastAt time.Time
	// retryAt is when to try again after failures.
	retryAt  time.Time
	failures int
	err      error
}

// run tells what there is to tell until ctx ends.
func (s *sender) run(ctx context.Context, book *book) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tell(ctx, book, time.Now())
		}
	}
}

// tell sends what is due at now.
func (s *sender) tell(ctx context.Context, book *book, now time.Time) {
	if now.Before(s.retryAt) {
		return
	}
	var err error
	switch s.receiver.Kind {
	case Alertmanager:
		err = s.tellAlertmanager(ctx, book.List(), now)
	default:
		err = s.tellWebhook(ctx, book, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		if s.failures > 0 {
			s.log.Info("a receiver of alerts can be told again", slog.String("receiver", s.receiver.Name), slog.Int("failed_attempts", s.failures))
		}
		s.failures = 0
		return
	}
	if ctx.Err() != nil {
		return
	}
	s.failed.Inc()
	longest := lastRetry
	if s.receiver.Kind == Alertmanager {
		longest = lastRetryAM
	}
	s.retryAt = now.Add(min(firstRetry<<min(s.failures, 10), longest))
	if errors.Is(err, errRefused) { // the next message is another group's, perhaps
		s.retryAt = now.Add(refusedRetry)
	}
	if s.failures == 0 {
		s.log.Warn("a receiver of alerts cannot be told", slog.String("receiver", s.receiver.Name), slog.Any("error", err))
	}
	s.failures++
}

// tellWebhook sends one message for each group that has something to tell. One that is
// refused holds up no other.
func (s *sender) tellWebhook(ctx context.Context, book *book, now time.Time) error {
	began, tried := time.Now(), map[string]bool{}
	var refused error
	for {
		at := now.Add(time.Since(began))
		due := slices.DeleteFunc(s.policy.due(book.List(), s.toldNow(), at), func(m message) bool { return tried[m.key] })
		if len(due) == 0 {
			return refused
		}
		for i := range due {
			if i > 0 && now.Add(time.Since(began)).Sub(at) > freshFor {
				break
			}
			tried[due[i].key] = true
			err := s.tellGroup(ctx, &due[i])
			switch {
			case errors.Is(err, errRefused):
				refused = err
			case err != nil:
				return err
			}
		}
	}
}

// tellGroup sends a group's message, if there is something in it, and notes what the
// receiver knows now.
func (s *sender) tellGroup(ctx context.Context, m *message) error {
	if len(m.firing)+len(m.resolved) > 0 {
		body, err := json.Marshal(webhookMessageOf(m, s.receiver.Name, s.externalURL))
		if err != nil {
			return fmt.Errorf("message: %w", err)
		}
		if err := s.receiver.post(ctx, body); err != nil {
			return err
		}
		s.sent.Inc()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.told == nil {
		delete(s.told, m.key)
	} else {
		s.told[m.key] = m.told
	}
	s.changed = true
	return nil
}

// toldNow is what the receiver knows, by group.
func (s *sender) toldNow() map[string]*Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.told)
}

// awaits adds to ids the alerts that the receiver takes for active.
func (s *sender) awaits(ids map[string]bool) {
	for _, t := range s.toldNow() {
		for _, id := range t.Firing {
			ids[id] = true
		}
	}
}

// forAlertmanager is what an Alertmanager is to be told now, with their states by ID: what
// fires, what ended not long ago, and what has ended and it takes for active, however long
// it could not be told.
func (s *sender) forAlertmanager(alerts []Alert, now time.Time) (list []amAlert, states map[string]State) {
	states = map[string]State{}
	told := s.toldNow()[ungrouped]
	active := told.known()
	for i := range alerts {
		a := alerts[i]
		if active[a.ID] {
			a = a.ended(told.At)
		} else if a.State == Pending || a.State == Completed && now.Sub(a.CompletedAt) >= resolvedTold {
			continue
		}
		states[a.ID] = a.State
		list = append(list, amAlertOf(&a, s.externalURL, now.Add(amExpiry).UTC()))
	}
	return list, states
}

// tellAlertmanager sends that at once when something changed, and every minute else.
func (s *sender) tellAlertmanager(ctx context.Context, alerts []Alert, now time.Time) error {
	list, states := s.forAlertmanager(alerts, now)
	if len(list) == 0 || maps.Equal(states, s.last) && now.Sub(s.lastAt) < resend {
		return nil
	}
	var refused error
	for from := 0; from < len(list); from += amBatch {
		body, err := json.Marshal(list[from:min(from+amBatch, len(list))])
		if err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
		err = s.receiver.post(ctx, body)
		if errors.Is(err, errRefused) { // it took what is well-formed in it
			refused = err
			continue
		}
		if err != nil {
			return err
		}
		s.sent.Inc()
	}
	if refused != nil {
		return refused
	}
	s.noteAlertmanager(states, now)
	return nil
}

// noteAlertmanager notes what it was told. What it takes for active outlives this process: it
// waits for the end of it.
func (s *sender) noteAlertmanager(states map[string]State, now time.Time) {
	told := &Told{At: now.UTC()}
	for _, id := range slices.Sorted(maps.Keys(states)) {
		if states[id] != Completed {
			told.Firing = append(told.Firing, id)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.told[ungrouped]
	if before == nil {
		before = &Told{}
	}
	s.changed = s.changed || !slices.Equal(before.Firing, told.Firing)
	s.told[ungrouped] = told
	s.last, s.lastAt = states, now
}

// state is what the receiver was told, and whether that changed since the last call.
func (s *sender) state() (told map[string]*Told, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, s.changed = s.changed, false
	return maps.Clone(s.told), changed
}

// status is the last error, nil if it was told.
func (s *sender) status() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
