package agent

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// TestCrew: whoever has nothing to do takes the next round, a round never waits for
// another, and more than enough do not stay.
func TestCrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crew
		for range 3 {
			ran := false
			c.do(func() { ran = true })
			assert.True(t, ran)
		}
		assert.Len(t, c.resting, 1)

		hold := make(chan struct{})
		var callers sync.WaitGroup
		for range maxResting + 10 {
			callers.Go(func() { c.do(func() { <-hold }) })
		}
		synctest.Wait() // all of them wait in their rounds
		assert.Empty(t, c.resting)
		done := false
		c.do(func() { done = true })
		assert.True(t, done)
		close(hold)
		callers.Wait()
		assert.Len(t, c.resting, maxResting)
		c.end()
		assert.Empty(t, c.resting)
	})
}
