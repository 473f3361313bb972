package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// freshFor is how long what alerts were is told: a slow receiver is not told what was
// true minutes ago.
const freshFor = 5 * time.Second

// tellWebhook sends one message for each group that has something to tell. One that is
// refused holds up no other; after one that fails the next round begins behind it.
func (s *sender) tellWebhook(ctx context.Context, book *book, now time.Time) error {
	began, tried := time.Now(), map[string]bool{}
	var refused error
	for {
		at := now.Add(time.Since(began))
		due := slices.DeleteFunc(s.policy.due(book.List(), s.toldNow(), at), func(m message) bool { return tried[m.key] })
		if len(due) == 0 {
			return refused
		}
		due = behind(due, s.failing)
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
				s.failing = due[i].key
				return err
			}
		}
	}
}

// behind are the messages, which are in the order of their keys, beginning behind a key.
func behind(messages []message, key string) []message {
	at := slices.IndexFunc(messages, func(m message) bool { return m.key > key })
	if at < 0 {
		return messages
	}
	return slices.Concat(messages[at:], messages[:at])
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
