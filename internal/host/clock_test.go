package host

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// after is so much later by both clocks, but that the one for the time of day was set by step,
// in whole seconds: those are from bit 30 on in the first word of a Time (time, Time).
func after(t time.Time, d, step time.Duration) time.Time {
	t = t.Add(d)
	word := (*uint64)(unsafe.Pointer(&t))
	*word += uint64(int64(step/time.Second) << 30)
	return t
}

func TestClockNoticesThatItWasSet(t *testing.T) {
	now := time.Now()
	var c Clock
	step := func(d, by time.Duration) time.Duration {
		now = after(now, d, by)
		return c.Step(now)
	}
	assert.Zero(t, step(0, time.Hour), "the first call")
	assert.Zero(t, step(time.Hour, 0))
	assert.Equal(t, -time.Hour, step(time.Second, -time.Hour))
	assert.Zero(t, step(time.Second, 0), "once")
	assert.Equal(t, 10*time.Second, step(time.Minute, 10*time.Second))
	assert.Equal(t, -50*365*24*time.Hour, step(0, -50*365*24*time.Hour))

	c.Step(now.Add(100 * time.Millisecond).Round(0))
	assert.Zero(t, c.Step(now), "without the other clock there is nothing to tell by")
}
