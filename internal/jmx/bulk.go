package jmx

import (
	"context"
	"errors"
	"time"
)

// quarantineTime is how long an item that made the agent refuse a whole bulk is
// left out before it gets another chance.
const quarantineTime = 10 * time.Minute

// askAround sends the items as one bulk, leaving out those in quarantine. Where
// the agent refuses the bulk it is halved until the guilty items stand alone;
// they go to quarantine and the rest is answered. The result has one reply per
// item. An error means that no item was answered.
func (c *Client) askAround(ctx context.Context, items []request) ([]reply, error) {
	now := time.Now()
	replies := make([]reply, len(items))
	var asked []int
	for i := range items {
		if now.Before(c.quarantine[i]) {
			replies[i] = reply{err: "left out: the agent refused every bulk with it"}
			continue
		}
		asked = append(asked, i)
	}
	var refused []int
	var reason error
	var ask func(part []int) error
	ask = func(part []int) error {
		got, err := c.post(ctx, pick(items, part))
		switch {
		case err == nil:
			for k, i := range part {
				replies[i] = got[k]
			}
			return nil
		case !errors.Is(err, errRejected):
			return err
		case len(part) == 1:
			refused, reason = append(refused, part[0]), err
			replies[part[0]] = reply{err: clip(err.Error())}
			return nil
		}
		half := len(part) / 2
		return errors.Join(ask(part[:half]), ask(part[half:]))
	}
	if len(asked) > 0 {
		if err := ask(asked); err != nil {
			return nil, err
		}
	}
	if len(refused) == len(asked) && reason != nil {
		// Not the items are to blame but whoever answers.
		return nil, rejection(reason)
	}
	for _, i := range refused {
		c.quarantine[i] = now.Add(quarantineTime)
	}
	return replies, nil
}

func pick(items []request, indexes []int) []request {
	picked := make([]request, len(indexes))
	for k, i := range indexes {
		picked[k] = items[i]
	}
	return picked
}
