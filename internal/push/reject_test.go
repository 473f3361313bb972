package push

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

func TestRejectedRecordIsIsolatedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{poison: 3}
		dir := t.TempDir()
		p, err := Open(Options{Dir: dir, Destinations: []Destination{d}})
		require.NoError(t, err)
		appendValues(t, p, 1, 2, 3, 4, 5)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		pass(10 * time.Second)
		assert.Equal(t, []float64{1, 2, 4, 5}, acceptedOf(d))
		assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`))
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, p.Close())
	})
}

// Of many samples in one record no more are lost with a refused one than its neighbours.
func TestARefusedSampleCostsItsNeighboursAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{poison: 4321}
		p, stop := startPusher(t, t.TempDir(), d)
		many := manySamples(10_000)
		require.NoError(t, p.Append(many))
		pass(10 * time.Second)
		refused := metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`)
		assert.Positive(t, refused)
		assert.LessOrEqual(t, refused, float64(siftedSamples))
		assert.Len(t, valuesOf(acceptedOf(d)), len(many)-int(refused))
		assert.InDelta(t, float64(len(many))-refused, metric(t, p, `apm_sidecar_push_samples_total{url="scripted"}`), 0)
		assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		stop()
	})
}

// A receiver that restarts, or fails, while a refused record is searched gets it again, and
// after a restart what it had accepted before as well.
func TestTroubleWhileARefusedRecordIsSearchedLosesNothing(t *testing.T) {
	ok := answer{receipt: Receipt{Code: "200", Window: time.Minute}}
	restarted := answer{receipt: Receipt{Code: "200", Window: time.Minute, MayHaveRestarted: true}}
	refused := answer{receipt: Receipt{Code: "400"}, err: ErrRejected}
	busy := answer{receipt: Receipt{Code: "500"}, err: errors.New("busy")}
	gone := answer{receipt: Receipt{Code: "502", MayHaveRestarted: true}, err: errors.New("bad gateway")}
	f := func(name string, timesBefore int, answers ...answer) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{window: time.Minute}
				p, stop := startPusher(t, t.TempDir(), d)
				appendValues(t, p, -1)
				pass(time.Second)
				d.answerNext(append([]answer{refused}, answers...)...)
				require.NoError(t, p.Append(manySamples(1000)))
				pass(10 * time.Second)
				before := 0
				for _, values := range batchesOf(d) {
					before += len(values) - len(slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v == -1 }))
				}
				assert.Equal(t, timesBefore, before, "how often the receiver got what it had accepted before")
				last := batchesOf(d)[len(batchesOf(d))-1]
				assert.Contains(t, last, 0.0, "all of it goes out again")
				assert.Contains(t, last, 999.0)
				assert.Zero(t, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`))
				stop()
			})
		})
	}
	f("the probe finds it restarted", 2, restarted, ok, ok)
	f("the probe finds it gone", 2, gone)
	f("the probe finds it busy", 1, busy)
	f("a half finds it restarted", 2, ok, ok, restarted)
	f("a half of a half finds it restarted", 2, ok, refused, restarted)
	f("a half finds it gone", 2, ok, gone)
	f("a half finds it busy", 1, ok, ok, busy)
}

// afresh is asked over a new connection each time that nothing is sent, a hundred times.
type afresh struct{ *scripted }

func (d afresh) Deliver(ctx context.Context, b Batch) (Receipt, error) {
	receipt, err := d.scripted.Deliver(ctx, b)
	receipt.MayHaveRestarted = b.Samples == 0 && probesOf(d.scripted) < 100
	return receipt, err
}

// A receiver, or a proxy, that closes the connection with each refusal does not have its last window
// sent again for ever.
func TestReplaysOfWhatIsRefusedComeToAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := afresh{&scripted{window: time.Hour, poison: 2}}
		p, stop := startPusher(t, t.TempDir(), d)
		appendValues(t, p, 1)
		pass(time.Second)
		appendValues(t, p, 2)
		pass(10 * time.Second)
		assert.Len(t, acceptedOf(d.scripted), 1+maxReplays)
		assert.InDelta(t, 1, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`), 0)
		stop()
	})
}

// What a receiver took of a refused record it may lose as all else, and gets again.
func TestWhatWasTakenOfARefusedRecordIsSentAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{window: time.Minute, poison: 1}
		p, stop := startPusher(t, t.TempDir(), d)
		require.NoError(t, p.Append(manySamples(2*siftedSamples)))
		pass(10 * time.Second)
		last := func() int {
			n := 0
			for _, v := range acceptedOf(d) {
				if v == 2*siftedSamples-1 {
					n++
				}
			}
			return n
		}
		require.Equal(t, 1, last())
		d.answerNext(answer{receipt: Receipt{Code: "200", Window: time.Minute, MayHaveRestarted: true}})
		appendValues(t, p, -1)
		pass(10 * time.Second)
		assert.Equal(t, 2, last())
		stop()
	})
}

// TestWhatAHalfConfirmedIsNotLost: of a refused record the receiver took a half before it was busy.
// The next time it refuses that half as out of order.
func TestWhatAHalfConfirmedIsNotLost(t *testing.T) {
	ok := answer{receipt: Receipt{Code: "200"}}
	busy := answer{receipt: Receipt{Code: "500"}, err: errors.New("busy")}
	refused := answer{receipt: Receipt{Code: "400"}, err: ErrRejected}
	outOfOrder := answer{receipt: Receipt{Code: "400"}, err: ErrOutOfOrder}
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{answers: []answer{refused, ok, ok, busy, outOfOrder, ok, outOfOrder, ok}}
		p, stop := startPusher(t, t.TempDir(), d)
		require.NoError(t, p.Append(manySamples(2*siftedSamples)))
		pass(10 * time.Second)
		assert.Len(t, d.at, 8)
		assert.Zero(t, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`))
		assert.InDelta(t, 2*siftedSamples, metric(t, p, `apm_sidecar_push_samples_total{url="scripted"}`), 0)
		stop()
	})
}

func TestAReceiverThatTakesNothingIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &scripted{poison: 3}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		appendValues(t, p, 3, 3, 3, 3)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		pass(5 * time.Second)
		appendValues(t, p, 1)
		pass(5 * time.Second)
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, p.Close())
		assert.Equal(t, 1, strings.Count(log.String(), "samples dropped"))
		assert.Contains(t, log.String(), "accepted again")
		assert.Contains(t, log.String(), "samples_dropped=4")
	})
}

func TestRejectedSamplesAreKeptAsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{poison: 3}
		dir := t.TempDir()
		for range 2 { // the letters of the first run are found by the second
			p, stop := startPusher(t, dir, d)
			appendValues(t, p, 3, 4)
			pass(5 * time.Second)
			stop()
		}
		letters, err := filepath.Glob(filepath.Join(dir, queueFolder("scripted"), deadLetterFolder, "*"+deadLetterSuffix))
		require.NoError(t, err)
		require.Len(t, letters, 2)
		z, err := zstd.NewReader(nil)
		require.NoError(t, err)
		defer z.Close()
		for _, name := range letters {
			packed, err := os.ReadFile(name)
			require.NoError(t, err)
			raw, err := z.DecodeAll(packed, nil)
			require.NoError(t, err)
			assert.Equal(t, []float64{3}, decodeValues(raw))
		}
		p, stop := startPusher(t, dir, d)
		assert.Positive(t, metric(t, p, `apm_sidecar_push_dead_letter_bytes{url="scripted"}`))
		stop()
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	d, err := openDeadLetters(t.TempDir())
	require.NoError(t, err)
	noise := make([]byte, 16<<20+1)
	random := rand.NewChaCha8([32]byte{})
	for range 6 {
		_, _ = random.Read(noise)
		require.NoError(t, d.put(noise, 5, time.Unix(1, 0)))
	}
	left, err := os.ReadDir(d.dir)
	require.NoError(t, err)
	assert.Len(t, left, 3, "3 of 16 MiB each, and some, are below 64 MiB")
	assert.Equal(t, int64(3*5), d.evicted.Load())
	assert.LessOrEqual(t, d.bytes.Load(), int64(maxDeadLetterBytes))
}

func TestDeadLettersAreBoundedInNumber(t *testing.T) {
	d, err := openDeadLetters(t.TempDir())
	require.NoError(t, err)
	d.letters = make([]deadLetter, maxDeadLetters)
	d.letters[0] = deadLetter{name: "oldest", samples: 7}
	require.NoError(t, d.put([]byte("x"), 1, time.Unix(1, 0)))
	assert.Len(t, d.letters, maxDeadLetters)
	assert.EqualValues(t, 7, d.evicted.Load(), "the oldest went")
}

// A process that was killed as it wrote a letter leaves a part of it, which the next one removes.
func TestPartsOfDeadLettersAreRemoved(t *testing.T) {
	dir := t.TempDir()
	d, err := openDeadLetters(dir)
	require.NoError(t, err)
	require.NoError(t, d.put([]byte("x"), 1, time.Unix(1, 0)))
	require.NoError(t, d.put([]byte("y"), 1, time.Unix(1, 0)))
	whole := filepath.Join(d.dir, d.letters[0].name)
	require.NoError(t, os.WriteFile(whole+partSuffix, nil, 0o600))
	d, err = openDeadLetters(dir)
	require.NoError(t, err)
	assert.Len(t, d.letters, 2)
	left, err := os.ReadDir(d.dir)
	require.NoError(t, err)
	assert.Len(t, left, 2)
}

// What refuses everything is no receiver: a wrong URL must not cost samples.
func TestAReceiverThatRefusesEverythingLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &scripted{deaf: true}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		stop := run(t, p)
		appendValues(t, p, 1)
		pass(time.Minute)
		appendValues(t, p, 2, 3)
		pass(time.Hour)
		assert.NotContains(t, log.String(), "works again", "trying one by one is no success")
		assert.Equal(t, 1, strings.Count(log.String(), "delivery failed"))
		assert.Equal(t, 3.0, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
		assert.Zero(t, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="rejected"}`))
		d.mu.Lock()
		d.deaf = false
		d.mu.Unlock()
		pass(2 * time.Minute)
		assert.Equal(t, []float64{1, 2, 3}, valuesOf(acceptedOf(d)))
		stop()
	})
}

// valuesOf leaves out repetitions.
func valuesOf(values []float64) []float64 {
	slices.Sort(values)
	return slices.Compact(values)
}

// After an outage, what is measured now arrives before what was measured then,
// and all of it arrives.
func TestFreshSamplesGoFirstAfterAnOutage(t *testing.T) {
	for name, anyOrder := range map[string]bool{"any order": true, "in order only": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{anyOrder: anyOrder, window: 20 * time.Second}
				p, stop := startPusher(t, t.TempDir(), d)
				appendValues(t, p, 1)
				pass(time.Minute)
				down := answer{Receipt{Code: "timeout", MayHaveRestarted: true}, errors.New("down"), false}
				outage := slices.Repeat([]answer{down}, 1000)
				d.answerNext(outage...)
				big := make([]series.Sample, 100)
				for i := range 360 { // an hour of it
					for j := range big {
						big[j] = testSample(float64(1000 + i))
					}
					require.NoError(t, p.Append(big))
					pass(10 * time.Second)
				}
				d.answerNext()
				before := len(batchesOf(d))
				for i := range 20 { // polls go on while the backlog is carried away
					appendValues(t, p, float64(5000+i))
					pass(10 * time.Second)
				}
				pass(2 * time.Minute)
				batches := batchesOf(d)[before:]
				backlogEnds := slices.IndexFunc(batches, func(b []float64) bool { return slices.Contains(b, 1300) })
				firstFresh := slices.IndexFunc(batches, func(b []float64) bool { return b[len(b)-1] >= 5000 })
				require.GreaterOrEqual(t, backlogEnds, 0)
				if anyOrder {
					assert.Less(t, firstFresh, backlogEnds, "fresh samples go first")
				} else {
					assert.GreaterOrEqual(t, firstFresh, backlogEnds)
				}
				assert.Len(t, valuesOf(acceptedOf(d)), 1+360+20)
				assert.Len(t, acceptedOf(d), 1+360*len(big)+20, "each once")
				assert.Zero(t, metric(t, p, `apm_sidecar_push_queue_samples{url="scripted"}`))
				stop()
			})
		})
	}
}
