package push

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

func TestOpenRefuses(t *testing.T) {
	_, err := Open(Options{Destinations: []Destination{&scripted{}, &scripted{}}, MaxBytes: 1})
	assert.ErrorContains(t, err, "no folder given")
	assert.ErrorContains(t, err, "scripted is given twice")
	assert.ErrorContains(t, err, "below the minimum")
	_, err = Open(Options{Dir: t.TempDir()})
	assert.ErrorContains(t, err, "no destination given")

	dir := t.TempDir()
	opts := Options{Dir: dir, Destinations: []Destination{&scripted{}}}
	p, err := Open(opts)
	require.NoError(t, err)
	_, err = Open(opts)
	require.ErrorIs(t, err, ErrInUse)
	assert.ErrorContains(t, err, "another apm-sidecar uses "+dir)
	require.NoError(t, p.Close())
	assert.ErrorIs(t, p.Append([]series.Sample{testSample(1)}), ErrClosed)
	p, err = Open(opts)
	require.NoError(t, err)
	require.NoError(t, p.Close())
}

func TestSamplesNobodyWouldStoreAreRefusedAndCounted(t *testing.T) {
	d := &scripted{}
	p, stop := startPusher(t, t.TempDir(), d)
	many := make([]series.Label, 40)
	for i := range many {
		many[i] = series.Label{Name: fmt.Sprintf("l%02d", i), Value: "v"}
	}
	with := func(change func(*series.Sample)) series.Sample {
		s := testSample(9)
		change(&s)
		return s
	}
	in := []series.Sample{
		testSample(1),
		with(func(s *series.Sample) { s.Value = math.NaN() }),
		with(func(s *series.Sample) { s.Name = "" }),
		with(func(s *series.Sample) { s.TimeMs = 0 }),
		with(func(s *series.Sample) { s.Labels = many }),
		testSample(2),
	}
	require.NoError(t, p.Append(in))
	assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_refused_samples_total{reason="not_finite"}`))
	assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_refused_samples_total{reason="name"}`))
	assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_refused_samples_total{reason="time"}`))
	assert.Equal(t, 1.0, metric(t, p, `apm_sidecar_push_refused_samples_total{reason="labels"}`))
	stop()
	assert.Equal(t, []float64{1, 2}, d.accepted)
}

func TestBigAppendIsSplit(t *testing.T) {
	d := &scripted{}
	p, stop := startPusher(t, t.TempDir(), d)
	var in []series.Sample
	var want []float64
	for i := range 3*maxRecordSamples + 1 {
		in = append(in, testSample(float64(i)))
		want = append(want, float64(i))
	}
	require.NoError(t, p.Append(in))
	stop()
	assert.Equal(t, want, d.accepted)

	wide := make([]series.Sample, 400)
	for i := range wide {
		wide[i] = testSample(1)
		wide[i].Labels = nil
		for l := range 10 {
			wide[i].Labels = append(wide[i].Labels, series.Label{Name: fmt.Sprint("l", l), Value: strings.Repeat("v", 4000)})
		}
	}
	var e encoder
	for rest := wide; len(rest) > 0; {
		e.reset()
		n := e.add(rest)
		assert.Positive(t, n)
		assert.LessOrEqual(t, len(e.raw), maxRecordBytes)
		rest = rest[n:]
	}
}

func TestEncodedSamplesComeBackExactly(t *testing.T) {
	packing, err := newPacking()
	require.NoError(t, err)
	var e encoder
	var d decoder
	shared := []series.Label{{Name: "job", Value: "jvm"}, {Name: "long", Value: strings.Repeat("v", 300)}}
	in := []series.Sample{
		{Name: "a", TimeMs: 1795270237875, Value: 0},
		{Name: "b_total", Labels: []series.Label{{Name: "k", Value: `ä"\`}, {Name: "z", Value: "1"}}, TimeMs: 1, Value: 1 << 53},
		{Name: "c", TimeMs: 2, Value: -0.1},
		{Name: "d", Labels: shared, TimeMs: 3, Value: math.Inf(1)},
		{Name: "e", Labels: shared, TimeMs: 4, Value: math.SmallestNonzeroFloat64},
		{Name: "f", Labels: shared[:1], TimeMs: math.MaxInt64, Value: 7},
		{Name: "g", Labels: shared[:1], TimeMs: 5, Value: 8},
	}
	target := []series.Label{{Name: "instance", Value: "h:1"}, {Name: "kind", Value: "x"}}
	for _, s := range in { // labels of two lists arrive as one
		s.Target = target
		in = append(in, s)
	}
	want := make([]series.Sample, len(in))
	for i, s := range in {
		want[i] = series.Sample{Name: s.Name, Labels: s.AllLabels(), TimeMs: s.TimeMs, Value: s.Value}
	}
	for range 2 { // buffers are reused
		e.reset()
		require.Equal(t, len(in), e.add(in))
		raw, err := packing.unpack([]byte("before"), packing.pack(nil, e.raw))
		require.NoError(t, err)
		var u prompb.WriteRequestUnmarshaler
		wr, err := u.UnmarshalProtobuf(raw[len("before"):])
		require.NoError(t, err)
		assert.Len(t, wr.Timeseries, len(in), "it is what others read")
		for i, ts := range wr.Timeseries {
			require.Len(t, ts.Labels, 1+len(want[i].Labels))
			assert.Equal(t, prompb.Label{Name: nameLabel, Value: in[i].Name}, ts.Labels[0])
			for k, label := range want[i].Labels {
				assert.Equal(t, prompb.Label{Name: label.Name, Value: label.Value}, ts.Labels[1+k])
			}
			assert.Equal(t, []prompb.Sample{{Value: in[i].Value, Timestamp: in[i].TimeMs}}, ts.Samples)
		}
		got, err := d.decode(raw[len("before"):])
		require.NoError(t, err)
		for i := range got {
			if len(got[i].Labels) == 0 {
				got[i].Labels = nil
			}
		}
		assert.Equal(t, want, got)
	}
}

func TestTheOldestSampleIsNoYoungerThanNow(t *testing.T) {
	p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{&scripted{}}})
	require.NoError(t, err)
	defer p.Close()
	appendAt := func(at time.Time) {
		require.NoError(t, p.workers[0].queue.append(record{timeMs: at.UnixMilli(), samples: 1, payload: []byte("x")}))
	}
	const age = `apm_sidecar_push_queue_oldest_age_seconds{url="scripted"}`
	assert.Zero(t, metric(t, p, age))
	appendAt(time.Now().Add(time.Hour)) // the clock was set back since
	assert.Zero(t, metric(t, p, age))
}

func TestQueueFolderHidesTheID(t *testing.T) {
	assert.Regexp(t, `^queue-[0-9a-f]{16}$`, queueFolder("http://h/?token=secret"))
}

func TestOrphanedQueueIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data [shop]")
	p, err := Open(Options{Dir: dir, Destinations: []Destination{&scripted{id: "old"}}})
	require.NoError(t, err)
	require.NoError(t, p.Append([]series.Sample{testSample(1)}))
	require.NoError(t, p.Close())
	var log bytes.Buffer
	p, err = Open(Options{Dir: dir, Destinations: []Destination{&scripted{id: "new"}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(log.String(), filepath.Join(dir, "queue-")), "%s", &log)
	require.NoError(t, p.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "lock and two queues")
}

// countsSyncs is a file that tells how often it was brought to the disk.
type countsSyncs struct {
	appendFile
	n *atomic.Int64
}

func (f countsSyncs) Sync() error {
	f.n.Add(1)
	return f.appendFile.Sync()
}

// What a power cut costs must not depend on a receiver that takes its time.
func TestQueuesAreSyncedWhileADeliveryHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		d.answerNext(answer{hang: true})
		p, stop := startPusher(t, t.TempDir(), d)
		var syncs atomic.Int64
		q := p.workers[0].queue
		q.active = countsSyncs{q.active, &syncs}
		appendValues(t, p, 1)
		pass(2 * time.Second)
		assert.EqualValues(t, 1, syncs.Load())
		pass(10 * time.Second)
		assert.EqualValues(t, 1, syncs.Load(), "nothing was written meanwhile")
		appendValues(t, p, 2)
		pass(2 * time.Second)
		assert.EqualValues(t, 2, syncs.Load())
		stop()
	})
}
