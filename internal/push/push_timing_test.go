package push

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// poll is what one poll of one JVM makes: about a hundred series.
func poll(n int) []series.Sample {
	out := make([]series.Sample, 0, 100)
	for i := range 100 {
		out = append(out, series.Sample{
			Name: fmt.Sprintf("jvm_memory_pool_metric_%d_bytes", i/10),
			Labels: []series.Label{
				{Name: "area", Value: "heap"}, {Name: "instance", Value: "shop-1.example:8778"}, {Name: "job", Value: "jvm"},
				{Name: "kind", Value: "old"}, {Name: "pool", Value: fmt.Sprintf("Pool %d", i%10)},
			},
			TimeMs: 1795270237875 + int64(n)*10000,
			Value:  float64(i*1_000_003 + n*7919),
		})
	}
	return out
}

func BenchmarkAppend(b *testing.B) {
	p, err := Open(Options{Dir: b.TempDir(), Destinations: []Destination{&scripted{}}})
	require.NoError(b, err)
	defer p.Close()
	samples := poll(1)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Append(samples); err != nil {
			b.Fatal(err)
		}
	}
	st := p.workers[0].queue.stats()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
	if st.samples > 0 {
		b.ReportMetric(float64(st.bytes)/float64(st.samples), "disk-B/sample")
	}
}

func BenchmarkEncode(b *testing.B) {
	var e encoder
	samples := poll(1)
	b.ReportAllocs()
	for b.Loop() {
		e.reset()
		e.add(samples)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
	b.ReportMetric(float64(len(e.raw))/float64(len(samples)), "raw-B/sample")
}

func BenchmarkDecode(b *testing.B) {
	var e encoder
	e.add(poll(1))
	var d decoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(e.raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQueueNextAndAck(b *testing.B) {
	q, err := openQueue(queueOptions{dir: b.TempDir(), maxBytes: 1 << 30, logger: nil})
	require.NoError(b, err)
	defer q.close()
	payload := make([]byte, 2000)
	b.ReportAllocs()
	for b.Loop() {
		if err := q.append(record{samples: 1, payload: payload}); err != nil {
			b.Fatal(err)
		}
		_, _, end, _, err := q.next(false)
		if err != nil {
			b.Fatal(err)
		}
		q.delivered([]delivery{{end: end, samples: 1}}, false)
		q.ackDue(q.waiting[0].ackAt)
	}
}
