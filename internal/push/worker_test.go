package push

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// answer is what the scripted destination does with one batch.
type answer struct {
	receipt Receipt
	err     error
	// hang waits for the context.
	hang bool
}

// scripted answers as told, then accepts everything. It notes the values of each
// batch it was given.
type scripted struct {
	id     string
	window time.Duration

	mu      sync.Mutex
	answers []answer
	// poison is a value that makes a batch rejected; deaf rejects everything.
	poison float64
	deaf   bool
	// anyOrder is told with each acceptance.
	anyOrder bool
	batches  [][]float64
	// probes counts batches without samples.
	probes   int
	accepted []float64
	at       []time.Time
}

func (s *scripted) Info() DestinationInfo {
	return DestinationInfo{ID: "scripted" + s.id, Label: "scripted" + s.id}
}

func (s *scripted) Deliver(ctx context.Context, b Batch) (Receipt, error) {
	raw, err := b.WriteRequest(nil)
	if err != nil {
		panic(err)
	}
	values := decodeValues(raw)
	s.mu.Lock()
	if b.Samples == 0 {
		s.probes++
	} else {
		s.batches = append(s.batches, values)
	}
	s.at = append(s.at, time.Now())
	var a answer
	if len(s.answers) > 0 {
		a = s.answers[0]
		s.answers = s.answers[1:]
	} else {
		a.receipt = Receipt{Code: "200", Window: s.window, AnyOrder: s.anyOrder}
	}
	s.mu.Unlock()
	if a.hang {
		<-ctx.Done()
		return Receipt{Code: "timeout"}, ctx.Err()
	}
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf || s.poison != 0 && slices.Contains(values, s.poison) {
		return Receipt{Code: "400"}, ErrRejected
	}
	if a.err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.accepted = append(s.accepted, values...)
	}
	return a.receipt, a.err
}

// seen returns what arrived so far.
func (s *scripted) seen() (batches [][]float64, accepted []float64, probes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.batches), slices.Clone(s.accepted), s.probes
}

func batchesOf(s *scripted) [][]float64 { batches, _, _ := s.seen(); return batches }
func acceptedOf(s *scripted) []float64  { _, accepted, _ := s.seen(); return accepted }
func probesOf(s *scripted) int          { _, _, probes := s.seen(); return probes }

// answerNext sets what is said to the next deliveries.
func (s *scripted) answerNext(answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

func decodeValues(writeRequest []byte) []float64 {
	var u prompb.WriteRequestUnmarshaler
	wr, err := u.UnmarshalProtobuf(writeRequest)
	if err != nil {
		panic(err)
	}
	var out []float64
	for _, ts := range wr.Timeseries {
		for _, s := range ts.Samples {
			out = append(out, s.Value)
		}
	}
	return out
}

func testSample(value float64) series.Sample {
	return series.Sample{Name: "m", Labels: []series.Label{{Name: "a", Value: "b"}}, TimeMs: 1000 + int64(value), Value: value}
}

func appendValues(t *testing.T, p *Pusher, values ...float64) {
	t.Helper()
	for _, v := range values {
		require.NoError(t, p.Append([]series.Sample{testSample(v)}))
	}
}

// startPusher opens a Pusher and runs it; stop ends and closes it.
func startPusher(t *testing.T, dir string, dests ...Destination) (p *Pusher, stop func()) {
	t.Helper()
	p, err := Open(Options{Dir: dir, Destinations: dests})
	require.NoError(t, err)
	return p, run(t, p)
}

// run runs a Pusher until it is stopped.
func run(t *testing.T, p *Pusher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, p.Close())
	}
}

// pass lets time pass in the bubble, and what falls due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func metric(t *testing.T, p *Pusher, name string) float64 {
	t.Helper()
	var b strings.Builder
	p.WriteMetrics(&b)
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			require.NoError(t, err)
			return v
		}
	}
	require.Fail(t, "no metric "+name, b.String())
	return 0
}

func TestRunRetriesWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := answer{Receipt{Code: "503"}, errors.New("down"), false}
		d := &scripted{answers: []answer{down, down, down, down}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		began := time.Now().Format(time.DateTime)
		pass(2 * time.Second)
		assert.Equal(t, []string{"Samples for scripted wait since " + began + ": 503: down"}, p.Troubles())
		pass(time.Minute)
		assert.Empty(t, p.Troubles())
		require.Len(t, d.at, 5)
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			pause := d.at[i+1].Sub(d.at[i])
			assert.InDelta(t, want.Seconds(), pause.Seconds(), want.Seconds()*0.26, "pause %d", i)
		}
		assert.Equal(t, 4.0, metric(t, p, `apm_sidecar_push_retries_total{url="scripted"}`))
		assert.Equal(t, 4.0, metric(t, p, `apm_sidecar_push_requests_total{url="scripted",code="503"}`))
		assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_samples_total{url="scripted"}`))
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

func TestPausesBeginAnewAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := answer{Receipt{Code: "503"}, errors.New("down"), false}
		d := &scripted{answers: []answer{down, down, down, down, {}, down}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Minute)
		appendValues(t, p, 2)
		pass(time.Minute)
		require.Len(t, d.at, 7)
		assert.InDelta(t, 1, d.at[6].Sub(d.at[5]).Seconds(), 0.26)
		stop()
	})
}

// The time that a delivery takes is none in which the process did not run.
func TestSlowDeliveriesPutNoAcknowledgementOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := slowly{&scripted{window: 20 * time.Second}, 5 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		for i := range 60 {
			appendValues(t, p, float64(i+1))
			pass(5 * time.Second)
		}
		assert.LessOrEqual(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`), 10.0)
		stop()
	})
}

func TestRunObeysRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{answers: []answer{{Receipt{Code: "429", RetryAfter: 90 * time.Second}, errors.New("slow down"), false}}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Hour)
		require.Len(t, d.at, 2)
		assert.Equal(t, 90*time.Second, d.at[1].Sub(d.at[0]))
		stop()
	})
	synctest.Test(t, func(t *testing.T) { // as it is asked whether it takes requests at all
		d := &scripted{answers: []answer{{err: ErrRejected}, {Receipt{Code: "429", RetryAfter: 90 * time.Second}, errors.New("slow down"), false}}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Hour)
		require.Len(t, d.at, 3)
		assert.Equal(t, 90*time.Second, d.at[2].Sub(d.at[1]))
		stop()
	})
}

func TestBacklogGoesInOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}})
		require.NoError(t, err)
		appendValues(t, p, 1, 2, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.Run(ctx), "a Run that begins at the end still drains")
		require.NoError(t, p.Close())
		assert.Equal(t, [][]float64{{1, 2, 3}}, batchesOf(d))
	})
}

func TestWindowIsReplayedWhenTheReceiverMayHaveRestarted(t *testing.T) {
	restarted := func(err error) answer {
		return answer{receipt: Receipt{Code: "x", Window: 20 * time.Second, MayHaveRestarted: true}, err: err}
	}
	for name, a := range map[string]answer{
		"seen by a new connection":  restarted(nil),
		"seen by a transport error": restarted(errors.New("connection reset")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{window: 20 * time.Second}
				p, stop := startPusher(t, t.TempDir(), d)
				appendValues(t, p, 1)
				pass(25 * time.Second) // 1 is acknowledged
				appendValues(t, p, 2)
				pass(5 * time.Second) // 2 is not
				d.answerNext(a)
				appendValues(t, p, 3)
				pass(5 * time.Second)
				assert.Equal(t, [][]float64{{1}, {2}, {3}, {2, 3}}, batchesOf(d))
				assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_replays_total{url="scripted"}`))
				pass(25 * time.Second)
				assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
				stop()
			})
		})
	}
}

// The first answer after an outage comes over a new connection: what it is about is with
// the receiver, and nothing from before the outage waits.
func TestNothingIsSentTwiceWhereNothingCanBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		again := Receipt{Code: "200", Window: 20 * time.Second, MayHaveRestarted: true}
		for n := range 3 {
			d.answerNext(answer{Receipt{Code: "transport", MayHaveRestarted: true}, errors.New("connection refused"), false}, answer{receipt: again})
			appendValues(t, p, float64(n))
			pass(time.Minute)
		}
		assert.Equal(t, [][]float64{{0}, {0}, {1}, {1}, {2}, {2}}, batchesOf(d), "each fails once and is accepted once")
		assert.Zero(t, metric(t, p, `apm_sidecar_push_replays_total{url="scripted"}`))
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

// Between two polls a receiver may restart without a delivery that would notice:
// nothing is acknowledged before it was seen alive after the window.
func TestRestartWhileNothingIsSentIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(5 * time.Second)
		d.answerNext(answer{receipt: Receipt{Code: "204", MayHaveRestarted: true}})
		pass(14 * time.Second)
		assert.Zero(t, probesOf(d))
		pass(3 * time.Second)
		assert.Equal(t, [][]float64{{1}, {1}}, batchesOf(d))
		assert.Equal(t, 1, probesOf(d))
		pass(30 * time.Second)
		assert.Equal(t, 2, probesOf(d))
		assert.Len(t, batchesOf(d), 2)
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

func TestProbeThatFailsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Second)
		d.answerNext(answer{receipt: Receipt{Code: "503"}, err: errors.New("busy")}, answer{receipt: Receipt{Code: "400"}, err: ErrRejected})
		pass(time.Minute)
		assert.Equal(t, [][]float64{{1}}, batchesOf(d))
		assert.Equal(t, 2, probesOf(d), "one failed; one was refused, which is an answer as well")
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

func TestOverloadIsNotAnsweredWithReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Second)
		d.answerNext(answer{Receipt{Code: "429"}, errors.New("slow down"), false})
		appendValues(t, p, 2)
		pass(5 * time.Second)
		assert.Equal(t, [][]float64{{1}, {2}, {2}}, batchesOf(d))
		stop()
	})
}

// Whoever closes each connection looks as if restarted each time.
func TestReplaysComeToAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		for range 100 {
			d.answers = append(d.answers, answer{receipt: Receipt{Code: "200", Window: 20 * time.Second, MayHaveRestarted: true}})
		}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Second)
		appendValues(t, p, 2)
		pass(maxReplays * 25 * time.Second)
		assert.Less(t, len(batchesOf(d)), 30)
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

func TestUnacknowledgedSamplesAreDeliveredAfterReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p, stop := startPusher(t, dir, &scripted{window: 20 * time.Second})
		appendValues(t, p, 1, 2)
		pass(time.Second)
		stop()

		d := &scripted{}
		_, stop = startPusher(t, dir, d)
		pass(time.Second)
		stop()
		assert.Equal(t, []float64{1, 2}, acceptedOf(d))
	})
}

func TestRunEndsWithinTheDrainTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{answers: []answer{{hang: true}}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Second)
		began := time.Now()
		stop()
		assert.Equal(t, drainTimeout, time.Since(began))
	})
}

func TestOneHangingDestinationDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &scripted{id: "1", answers: []answer{{hang: true}}}
		fine := &scripted{id: "2"}
		p, stop := startPusher(t, t.TempDir(), hung, fine)
		appendValues(t, p, 1, 2)
		pass(time.Second)
		assert.Equal(t, []float64{1, 2}, acceptedOf(fine))
		assert.Equal(t, 2.0, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted1"}`))
		stop()
	})
}

// slowly is a receiver that takes its time.
type slowly struct {
	*scripted
	time time.Duration
}

func (s slowly) Deliver(ctx context.Context, b Batch) (Receipt, error) {
	time.Sleep(s.time)
	return s.scripted.Deliver(ctx, b)
}

// What a receiver says is about the time before it was asked: it may have accepted a batch
// that takes long in its first moment, and have been restarted in the last.
func TestNothingIsTrustedToAnAnswerThatWasAskedForTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := slowly{&scripted{window: 20 * time.Second}, 10 * time.Second}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(15 * time.Second) // delivered at 10, to be trusted from 30 on
		pass(10 * time.Second)
		appendValues(t, p, 2) // asked at 25, answered at 35
		pass(11 * time.Second)
		assert.InDelta(t, 2, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`), 0)
		stop()
	})
}

// Records that nobody can read are counted and let go; the receiver hears nothing of them.
func TestABatchInWhichNothingDecodesHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: 20 * time.Second}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}})
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, p.workers[0].queue.append(record{timeMs: time.Now().UnixMilli(), samples: 3, payload: []byte("no frame")}))
		}
		stop := run(t, p)
		pass(time.Second)
		assert.Zero(t, batchesOf(d))
		assert.Zero(t, probesOf(d))
		pass(2 * tickInterval)
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		assert.InDelta(t, 6, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="undecodable"}`), 0)
		appendValues(t, p, 1)
		pass(time.Second)
		assert.Equal(t, []float64{1}, acceptedOf(d))
		stop()
	})
}
