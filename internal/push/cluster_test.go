package push

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAClusterTellsOfItsStorages: vminsert is asked at each step whether connections to its
// vmstorages broke, after it had time to pass on what it got.
func TestAClusterTellsOfItsStorages(t *testing.T) {
	metrics := ""
	tell := func(started, broken int) {
		metrics = fmt.Sprintf("vm_app_start_timestamp %d\nvm_rpc_conns{name=\"vminsert\"} 9\n"+
			"vm_rpc_connection_errors_total{name=\"vminsert\", addr=\"a\", rpc_call=\"metric_rows\"} %d\n"+
			"vm_rpc_connection_errors_total{name=\"vminsert\", addr=\"b\", rpc_call=\"metric_rows\"} 4\n", started, broken)
	}
	asked := 0
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Server-Hostname", "vminsert")
		if r.URL.Path != "/vm/metrics" {
			assert.Equal(t, "/vm/insert/7:3/prometheus/api/v1/write", r.URL.Path)
			return false
		}
		asked++
		if metrics == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, err := w.Write([]byte(metrics))
		assert.NoError(t, err)
		return true
	})
	d := remote(t, rc.URL+"/vm/insert/7:3/prometheus/api/v1/write", RemoteWriteOptions{})
	f := func(b Batch, restarted bool) Receipt {
		t.Helper()
		receipt, err := d.Deliver(t.Context(), b)
		require.NoError(t, err)
		assert.Equal(t, restarted, receipt.MayHaveRestarted)
		return receipt
	}
	passed := func() time.Time { // on to the vmstorages, that is
		d.storages.passedAt = d.storages.passedAt.Add(-passTime)
		return d.storages.passedAt
	}

	tell(1, 3)
	began := time.Now()
	assert.True(t, f(batch(t, 1), false).HeldAt.Before(began), "nothing is known of it yet")
	assert.Equal(t, 1, asked)
	assert.True(t, f(Batch{}, false).HeldAt.Before(began))
	assert.Equal(t, 1, asked, "too early to tell")
	assert.Equal(t, []float64{1, 1}, rc.values(), "what has no samples is of no use to find out")
	first := d.storages.passedAt
	f(batch(t, 1), false)
	assert.Equal(t, first, d.storages.passedAt, "the answer to come is about what was there before the first one")
	at := passed()
	assert.Equal(t, at, f(Batch{}, false).HeldAt)
	assert.Equal(t, 2, asked)
	at = passed()
	assert.NotEqual(t, at, f(batch(t, 2), false).HeldAt, "while samples flow it is asked now and then")
	assert.Equal(t, 2, asked)

	tell(1, 4)
	passed()
	assert.True(t, f(Batch{}, true).Lost)
	passed()
	assert.False(t, f(Batch{}, false).Lost)
	assert.Equal(t, []float64{1, 1, 1, 1, 2, 2, 2}, rc.values())

	metrics = ""
	passed()
	assert.Zero(t, f(Batch{}, false).HeldAt, "as of any other receiver")
	tell(1, 5)
	passed()
	assert.Zero(t, f(Batch{}, false).HeldAt, "there is nothing to compare it with")
	at = passed()
	assert.Equal(t, at, f(Batch{}, false).HeldAt)
	tell(2, 5)
	passed()
	assert.Zero(t, f(Batch{}, false).HeldAt, "another vminsert behind the same address has counts of its own")
}

// Whether a receiver takes requests at all, after it has refused samples, is asked without any.
func TestAClusterThatRefusesIsAskedWithoutSamples(t *testing.T) {
	refuse := false
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		if refuse {
			w.WriteHeader(http.StatusBadRequest)
		}
		return refuse
	})
	d := remote(t, rc.URL+"/insert/0/prometheus/api/v1/write", RemoteWriteOptions{})
	_, err := d.Deliver(t.Context(), batch(t, 1))
	require.NoError(t, err)
	refuse = true
	_, err = d.Deliver(t.Context(), batch(t, 2))
	require.ErrorIs(t, err, ErrRejected)
	refuse = false
	_, err = d.Deliver(t.Context(), Batch{})
	require.NoError(t, err)
	assert.Equal(t, []float64{1}, rc.values())
}

func TestOnlyAClusterIsAsked(t *testing.T) {
	rc := newReceiver(t, nil)
	d := remote(t, rc.URL+"/api/v1/write", RemoteWriteOptions{})
	receipt, err := d.Deliver(t.Context(), batch(t, 1))
	require.NoError(t, err)
	assert.Zero(t, receipt.HeldAt)
	assert.Len(t, rc.seen(), 1)
}

// A vmstorage that is killed again and again is none whose connections say nothing.
func TestWhatIsLostIsReplayedHoweverOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		lost := answer{receipt: Receipt{Code: "204", Window: 20 * time.Second, MayHaveRestarted: true, Lost: true}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		for n := range 4 * maxReplays {
			pass(time.Second)
			d.answerNext(lost)
			appendValues(t, p, float64(n+2))
		}
		pass(time.Second)
		assert.InDelta(t, 4*maxReplays, metric(t, p, `apm_sidecar_push_replays_total{url="scripted"}`), 0)
		stop()
	})
}

// lagging is a receiver of which is known what it held two questions ago.
type lagging struct {
	scripted
	mu   sync.Mutex
	seen []time.Time
}

func (l *lagging) Deliver(ctx context.Context, b Batch) (Receipt, error) {
	receipt, err := l.scripted.Deliver(ctx, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, time.Now())
	receipt.HeldAt = l.seen[max(0, len(l.seen)-3)]
	return receipt, err
}

func TestNothingIsAcknowledgedBeforeItIsKnownToBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &lagging{scripted: scripted{window: 20 * time.Second}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		left := func() float64 { return metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`) }
		pass(21500 * time.Millisecond)
		assert.InDelta(t, 1, left(), 0, "two answers tell of the time before the window ended")
		pass(3 * time.Second)
		assert.Zero(t, left())
		assert.Equal(t, 3, probesOf(&d.scripted), "one a second")
		stop()
	})
}
