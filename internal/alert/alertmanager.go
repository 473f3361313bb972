package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// An Alertmanager is told every resend, and takes an alert for over after
	// amExpiry without a word.
	resend   = time.Minute
	amExpiry = 5 * time.Minute
	// resolvedTold is how long it is told that an alert has ended, and for longer while it
	// cannot be told.
	resolvedTold = 15 * time.Minute
	// amBatch bounds one request to it.
	amBatch = 200
	// ungrouped is the key of what it was told: no group's, as those are in braces.
	ungrouped = ""
)

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
