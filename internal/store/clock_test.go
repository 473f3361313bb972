package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAClockSetBackHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := []time.Duration{0, time.Hour, -time.Hour, 0, -10 * time.Second, 0}
		begun := time.Now()
		step := func(now time.Time) time.Duration { return steps[int(now.Sub(begun)/time.Second)] }
		var flushed []time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		followClock(ctx, step, func() { flushed = append(flushed, time.Since(begun)) })
		assert.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second}, flushed)
	})
}
