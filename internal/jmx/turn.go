package jmx

import (
	"context"
	"fmt"
)

// turn lets one request of a target be under way: many agents serve one at a time,
// and what a JVM answers at once it pays for at once. Whoever waits longest is next
// (a channel hands over in order), so that a poll waits for one request of another
// tier at most, however fast that asks again.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn; end gives it on.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return transportError(fmt.Errorf("an earlier request to it is still under way: %w", ctx.Err()))
	}
}

func (t turn) end() { <-t }
