package agent

import (
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
			synctest.Wait()
			assert.True(t, ran)
		}
		assert.Len(t, c.resting, 1)

		hold := make(chan struct{})
		for range maxResting + 10 {
			c.do(func() { <-hold })
		}
		synctest.Wait() // all of them wait in their rounds
		assert.Empty(t, c.resting)
		done := false
		c.do(func() { done = true })
		synctest.Wait()
		assert.True(t, done)
		close(hold)
		synctest.Wait()
		assert.Len(t, c.resting, maxResting)
		c.end()
		assert.Empty(t, c.resting)
	})
}

// TestCrewEndsAfterItsRounds: the end waits for rounds under way, and nobody rests then.
func TestCrewEndsAfterItsRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c crew
		hold, ended := make(chan struct{}), false
		c.do(func() { <-hold })
		go func() {
			c.end()
			ended = true
		}()
		synctest.Wait()
		assert.False(t, ended)
		close(hold)
		synctest.Wait()
		assert.True(t, ended)
		assert.Empty(t, c.resting)
	})
}
