package agent

import "sync"

// crew does the rounds of all targets. A round needs a deep stack, and a target has a
// round now and then only: would each keep the stack of its last one, that were a good
// part of the program's memory. The zero value is ready. Safe for concurrent use.
type crew struct {
	mu sync.Mutex
	// resting are those with nothing to do, who has worked last at the end.
	resting []chan shift
	all     sync.WaitGroup
}

// shift is one round.
type shift struct {
	run func()
	// done is closed when the round has ended.
	done chan struct{}
}

// maxResting bounds those that wait for the next round: many targets that hang need many
// of them for a while.
const maxResting = 1000

// do has one of the crew run a round, and returns when that has ended. It never waits
// for another round.
func (c *crew) do(run func()) {
	done := make(chan struct{})
	c.one() <- shift{run, done}
	<-done
}

// one is somebody with nothing to do.
func (c *crew) one() chan<- shift {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.resting); n > 0 {
		last := c.resting[n-1]
		c.resting = c.resting[:n-1]
		return last
	}
	shifts := make(chan shift)
	c.all.Go(func() {
		for s := range shifts {
			s.run()
			stays := c.rest(shifts)
			close(s.done)
			if !stays {
				return
			}
		}
	})
	return shifts
}

// rest lets one of the crew wait for another round; false if enough do.
func (c *crew) rest(shifts chan shift) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.resting) == maxResting {
		return false
	}
	c.resting = append(c.resting, shifts)
	return true
}

// end sends the crew home, when nobody calls do any more.
func (c *crew) end() {
	c.mu.Lock()
	for _, shifts := range c.resting {
		close(shifts)
	}
	c.resting = nil
	c.mu.Unlock()
	c.all.Wait()
}
