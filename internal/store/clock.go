package store

import (
	"context"
	"time"
)

// clockInterval is how often it is looked whether the clock was set.
const clockInterval = time.Second

// followClock has the engine let go of what it holds back when the clock is set back, until ctx
// ends. It goes by the time of day when the rows that came last are due (lib/storage and
// lib/mergeset, flushDeadlineMs): they, and all that comes after them, would be seen by no query
// and written to no disk until it is as late again. step is host.Clock.Step.
func followClock(ctx context.Context, step func(now time.Time) time.Duration, flush func()) {
	tick := time.NewTicker(clockInterval)
	defer tick.Stop()
	for {
		if step(time.Now()) < 0 {
			flush()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
