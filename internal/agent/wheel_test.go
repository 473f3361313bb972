package agent

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// diary notes when the rounds of a turn began, in seconds since the start of a test.
type diary struct {
	rounds []float64
	missed int
}

// turn has rounds that take some time each, or end with ctx.
func (d *diary) turn(ctx context.Context, interval, takes time.Duration) *turn {
	start := time.Now()
	return &turn{
		interval: interval,
		round: func(time.Duration) {
			d.rounds = append(d.rounds, time.Since(start).Seconds())
			select {
			case <-ctx.Done():
			case <-time.After(takes):
			}
		},
		missed: func(n int) { d.missed += n },
	}
}

// spin lets a wheel turn until the test's work is done.
func spin(t *testing.T, work func(ctx context.Context, w *wheel)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			w.run(ctx)
			close(done)
		}()
		work(ctx, w)
		cancel()
		<-done
	})
}

func TestTurnsDelayNoOther(t *testing.T) {
	spin(t, func(ctx context.Context, w *wheel) {
		var quick, slow, hung diary
		now := time.Now()
		w.start(hung.turn(ctx, 3*time.Second, time.Hour), now)
		w.start(slow.turn(ctx, 2*time.Second, 5*time.Second), now)
		w.start(quick.turn(ctx, 2*time.Second, 0), now.Add(time.Second))
		time.Sleep(13 * time.Second)
		synctest.Wait()
		assert.Equal(t, []float64{1, 3, 5, 7, 9, 11, 13}, quick.rounds)
		assert.Zero(t, quick.missed)
		assert.Equal(t, []float64{0, 6, 12}, slow.rounds, "the moments missed are left out")
		assert.Equal(t, 4, slow.missed)
		assert.Equal(t, []float64{0}, hung.rounds)
	})
}

func TestTurnComesBeforeOthers(t *testing.T) {
	spin(t, func(ctx context.Context, w *wheel) {
		var late, soon diary
		w.start(late.turn(ctx, time.Hour, 0), time.Now().Add(time.Hour))
		synctest.Wait()
		w.start(soon.turn(ctx, time.Second, 0), time.Now())
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, []float64{0, 1}, soon.rounds)
		assert.Empty(t, late.rounds)
	})
}

func TestStoppedTurns(t *testing.T) {
	spin(t, func(ctx context.Context, w *wheel) {
		var resting, working diary
		rests, works := resting.turn(ctx, 10*time.Second, 0), working.turn(ctx, 10*time.Second, 4*time.Second)
		w.start(rests, time.Now())
		w.start(works, time.Now())
		time.Sleep(time.Second)
		began := time.Now()
		w.stop(rests)
		assert.Zero(t, time.Since(began), "there is nothing to wait for")
		w.stop(works)
		assert.Equal(t, 3*time.Second, time.Since(began), "the round under way is over")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, resting.rounds, 1)
		assert.Len(t, working.rounds, 1)
	})
}

// TestNoRoundBeginsAfterTheEnd: those that a crew without room kept waiting are left, and whoever
// stops one of them then does not wait.
func TestNoRoundBeginsAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(nil)
		ctx, cancel := context.WithCancel(t.Context())
		var begun atomic.Int64
		turns := make([]*turn, 2*maxAtWork)
		for i := range turns {
			turns[i] = &turn{interval: time.Hour, missed: func(int) {}, round: func(time.Duration) {
				begun.Add(1)
				<-ctx.Done()
				time.Sleep(time.Second) // so that none makes room for another before the end
			}}
			w.start(turns[i], time.Now())
		}
		done := make(chan struct{})
		go func() {
			w.run(ctx)
			close(done)
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		stopped := make(chan struct{})
		go func() { // while its turn is out
			w.stop(turns[len(turns)-1])
			close(stopped)
		}()
		synctest.Wait()
		cancel()
		<-done
		<-stopped
		assert.Equal(t, int64(maxAtWork), begun.Load())
		w.stop(turns[len(turns)-2])
	})
}
