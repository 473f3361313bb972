package alert

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const (
	// lookInterval is the time between two looks at what there is to tell.
	lookInterval = time.Second
	// The wait after a failure doubles. An Alertmanager's time runs meanwhile: what it takes
	// for over and is not would be told twice.
	firstRetry  = 5 * time.Second
	lastRetry   = 5 * time.Minute
	lastRetryAM = 15 * time.Second
	// refusedRetry is the wait after a message that was refused, while others were taken.
	refusedRetry = 30 * time.Second
)

// sender tells one receiver.
type sender struct {
	receiver    Receiver
	policy      Policy
	externalURL string
	log         *slog.Logger
	sent        *metrics.Counter
	failed      *metrics.Counter
	// failing is the group whose message failed last, empty before; run's alone.
	failing string

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
