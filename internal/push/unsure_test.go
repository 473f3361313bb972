package push

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inOrder takes values that grow alone, a request as a whole or not at all, as Prometheus
// does; what it has as the last one, it takes again.
type inOrder struct {
	mu     sync.Mutex
	values []float64
	// mute loses the next answer.
	mute bool
}

func (o *inOrder) Info() DestinationInfo { return DestinationInfo{ID: "in order", Label: "in-order"} }

func (o *inOrder) Deliver(_ context.Context, b Batch) (Receipt, error) {
	raw, err := b.WriteRequest(nil)
	if err != nil {
		return Receipt{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, v := range decodeValues(raw) {
		if len(o.values) > 0 && v < o.values[len(o.values)-1] {
			return Receipt{Code: "400"}, ErrOutOfOrder
		}
	}
	o.values = append(o.values, decodeValues(raw)...)
	if o.mute {
		o.mute = false
		return Receipt{Code: "timeout"}, errors.New("no answer")
	}
	return Receipt{Code: "204"}, nil
}

func (o *inOrder) has() []float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Compact(slices.Clone(o.values))
}

const refusedByOrder = `apm_sidecar_push_dropped_samples_total{url="in-order",reason="rejected"}`

// otherSettings is the same receiver by other settings.
type otherSettings struct{ *inOrder }

// A receiver that got a batch, but whose answer did not arrive, refuses it the second time,
// when there is more in it: that is no loss, and nobody is to be told of one.
func TestWhatCameWithoutAConfirmationIsNotLost(t *testing.T) {
	f := func(name string, restarted, replaced bool) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &inOrder{mute: true}
				dir := t.TempDir()
				p, stop := startPusher(t, dir, o)
				appendValues(t, p, 1, 2, 3)
				pass(100 * time.Millisecond)
				if restarted {
					stop()
					p, stop = startPusher(t, dir, o)
				}
				if replaced {
					require.NoError(t, p.Follow([]Destination{otherSettings{o}}))
				}
				appendValues(t, p, 4, 5)
				pass(time.Minute)
				assert.Equal(t, []float64{1, 2, 3, 4, 5}, o.has())
				assert.Zero(t, metric(t, p, refusedByOrder))
				assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="in-order"}`))
				stop()
			})
		})
	}
	f("same process", false, false)
	f("the next process", true, false)
	f("other settings", false, true)
}

// Samples refused as out of order that were never sent before are lost, and said to be.
func TestWhatIsOutOfOrderByItselfIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &inOrder{values: []float64{9}}
		p, stop := startPusher(t, t.TempDir(), o)
		appendValues(t, p, 1, 10)
		pass(time.Minute)
		assert.Equal(t, []float64{9, 10}, o.has())
		assert.InDelta(t, 1, metric(t, p, refusedByOrder), 0)
		stop()
	})
}
