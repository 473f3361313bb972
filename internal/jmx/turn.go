package jmx

import (
	"context"
	"fmt"
	"time"
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

// timing is when a request was sent, its turn having come, and answered.
type timing struct{ sent, received time.Time }

// took is the time between the two.
func (t timing) took() time.Duration { return t.received.Sub(t.sent) }

// timed is post with the time it took, the wait for its turn left out.
func (c *Client) timed(ctx context.Context, items []request) ([]reply, timing, error) {
	return c.timedInto(ctx, &answer{buffers: c.opts.Buffers}, items) // the replies outlive this call
}

// timedInto is timed with replies that are valid until the answer is freed.
func (c *Client) timedInto(ctx context.Context, a *answer, items []request) ([]reply, timing, error) {
	encoded, err := encode(items)
	if err != nil {
		return nil, timing{}, err
	}
	took, err := c.inTurn(ctx, a, encoded)
	if err != nil {
		return nil, took, err
	}
	replies, err := a.replies(len(items))
	return replies, took, err
}

// inTurn sends a bulk when its turn has come, and reads what is answered to it. Errors are
// those of post.
func (c *Client) inTurn(ctx context.Context, a *answer, b bulk) (timing, error) {
	c.opts.Buffers.asking.Add(1)
	defer c.opts.Buffers.asking.Add(-1)
	if err := c.turn.take(ctx); err != nil {
		return timing{}, err
	}
	defer c.turn.end()
	sent := time.Now()
	err := c.exchange(ctx, a, b)
	return timing{sent, time.Now()}, err
}
