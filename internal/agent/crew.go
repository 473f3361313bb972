package agent

import (
	"context"
	"sync"
	"time"
)

// crew does rounds. A round needs a deep stack, and a target has a round now and then
// only: would each keep the stack of its last one, that were a good part of the program's
// memory. The zero value is ready. Safe for concurrent use.
type crew struct {
	// asking tells how many of the rounds wait for their targets; nil if none ever does.
	asking func() int

	mu sync.Mutex
	// underWay is how many rounds have begun and not ended.
	underWay int
	// resting are those with nothing to do, who has worked last at the end.
	resting []chan func()
	// ended says that nobody rests any more.
	ended bool
	all   sync.WaitGroup
}

// maxResting bounds those that wait for the next round: many targets that hang need many
// of them for a while.
const maxResting = 1000

// maxAtWork bounds the rounds under way but for those that wait for their targets: on a
// machine that is too slow for all of them they would become more and more, and what they
// hold would fill the memory.
const maxAtWork = 250

// breath is the time between two looks at whether a crew has become less busy.
const breath = 10 * time.Millisecond

// await returns when the crew has room for another round, or ctx ends. Targets that hang
// take no room.
func (c *crew) await(ctx context.Context) {
	if !c.busy() {
		return
	}
	look := time.NewTicker(breath)
	defer look.Stop()
	for c.busy() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (c *crew) busy() bool {
	asking := 0
	if c.asking != nil {
		asking = c.asking()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underWay-asking >= maxAtWork
}

// do has one of the crew run a round, at once.
func (c *crew) do(round func()) { c.one() <- round }

// one is somebody with nothing to do.
func (c *crew) one() chan<- func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay++
	if n := len(c.resting); n > 0 {
		last := c.resting[n-1]
		c.resting = c.resting[:n-1]
		return last
	}
	rounds := make(chan func(), 1)
	c.all.Go(func() {
		for round := range rounds {
			round()
			if !c.rest(rounds) {
				return
			}
		}
	})
	return rounds
}

// rest lets one of the crew wait for another round; false if enough do, or none is to come.
func (c *crew) rest(rounds chan func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay--
	if c.ended || len(c.resting) == maxResting {
		return false
	}
	c.resting = append(c.resting, rounds)
	return true
}

// end sends the crew home when nobody calls do any more, and returns when no round is
// under way.
func (c *crew) end() {
	c.mu.Lock()
	for _, rounds := range c.resting {
		close(rounds)
	}
	c.resting, c.ended = nil, true
	c.mu.Unlock()
	c.all.Wait()
}
