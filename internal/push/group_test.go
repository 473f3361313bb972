package push

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// What is appended within the time to gather is one record, and nobody is told that it is
// kept before it is.
func TestAppendsOfOneTimeAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}, Gather: 100 * time.Millisecond})
		require.NoError(t, err)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 40 * time.Millisecond)
				assert.NoError(t, p.Append([]series.Sample{testSample(float64(i))}))
				assert.Equal(t, 100*time.Millisecond, time.Since(start))
			})
		}
		pass(99 * time.Millisecond)
		assert.Zero(t, p.workers[0].queue.stats().samples)
		wg.Wait()
		assert.Equal(t, 3, p.workers[0].queue.stats().samples)
		r, _, _, ok, err := p.workers[0].queue.next(false)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, 3, r.samples)
		assert.NoError(t, p.Append(nil), "nothing waits for nobody")
		require.NoError(t, p.Close())
	})
}

// The memory of samples is somebody else's while they wait to be written.
func TestSamplesAreGivenBackBeforeTheyAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{&scripted{}}, Gather: 100 * time.Millisecond, Memory: &series.Memory{}})
		require.NoError(t, err)
		samples := []series.Sample{testSample(1), testSample(2)}
		go func() { assert.NoError(t, p.Append(samples)) }()
		pass(50 * time.Millisecond)
		assert.Equal(t, make([]series.Sample, 2), samples, "nothing of a target is left in it")
		samples[0], samples[1] = testSample(8), testSample(9)
		pass(100 * time.Millisecond)
		r, _, _, ok, err := p.workers[0].queue.next(false)
		require.NoError(t, err)
		require.True(t, ok)
		raw, err := p.packing.unpack(nil, r.payload)
		require.NoError(t, err)
		var d decoder
		written, err := d.decode(raw)
		require.NoError(t, err)
		require.Len(t, written, 2)
		assert.InDelta(t, 1, written[0].Value, 0)
		assert.InDelta(t, 2, written[1].Value, 0)
		require.NoError(t, p.Close())
	})
}

// A full record does not wait, and an Append that spans several is done when the last is.
func TestAFullGroupIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{&scripted{}}, Gather: time.Minute})
		require.NoError(t, err)
		start := time.Now()
		go func() {
			assert.NoError(t, p.Append([]series.Sample{testSample(1)}))
			assert.Equal(t, time.Second, time.Since(start), "others have filled it")
		}()
		pass(time.Second)
		require.NoError(t, p.Append(manySamples(2*maxRecordSamples)))
		assert.Equal(t, 61*time.Second, time.Since(start))
		assert.Equal(t, 2*maxRecordSamples+1, p.workers[0].queue.stats().samples)
		require.NoError(t, p.Close())
		assert.ErrorIs(t, p.Append([]series.Sample{testSample(1)}), ErrClosed)
	})
}

// manySamples are n samples.
func manySamples(n int) []series.Sample {
	out := make([]series.Sample, n)
	for i := range out {
		out[i] = testSample(float64(i))
	}
	return out
}
