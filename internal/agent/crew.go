package agent

import "sync"

// crew does rounds, each at once. A round needs a deep stack, and a target has a round now
// and then only: would each keep the stack of its last one, that were a good part of the
// program's memory. The zero value is ready. Safe for concurrent use.
type crew struct {
	mu sync.Mutex
	// resting are those with nothing to do, who has worked last at the end.
	resting []chan func()
	// ended says that nobody rests any more.
	ended bool
	all   sync.WaitGroup
}

// maxResting bounds those that wait for the next round: many targets that hang need many
// of them for a while.
const maxResting = 1000

// do has one of the crew run a round. It waits for nobody.
func (c *crew) do(round func()) { c.one() <- round }

// one is somebody with nothing to do.
func (c *crew) one() chan<- func() {
	c.mu.Lock()
	defer c.mu.Unlock()
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
