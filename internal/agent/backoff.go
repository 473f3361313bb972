package agent

import (
	"math/rand/v2"
	"time"
)

const (
	// patience is how many polls in a row may fail before polls are left out: a
	// JVM that restarts is back by then.
	patience = 5
	// maxRest bounds the time without a poll.
	maxRest = time.Minute
)

// backOff spares a target that does not answer, and the agent behind it, which may
// be stuck under the requests it has already. Up to patience failures in a row it
// leaves out nothing; from then on the polls left out double, up to maxRest. Half
// of a rest is random, so that targets behind one proxy don't come back as one.
type backOff struct {
	interval time.Duration
	failures int
	// rest is the number of polls still to be left out.
	rest int
}

// skip tells whether this poll is to be left out.
func (b *backOff) skip() bool {
	if b.rest == 0 {
		return false
	}
	b.rest--
	return true
}

func (b *backOff) succeeded() { b.failures, b.rest = 0, 0 }

func (b *backOff) failed() {
	b.failures++
	over := min(b.failures-patience, 16) // 2^16 polls are beyond every maxRest
	if over <= 0 {
		return
	}
	longest := min(1<<over, int(maxRest/b.interval)-1)
	if longest > 0 {
		b.rest = longest - rand.IntN(longest/2+1)
	}
}
