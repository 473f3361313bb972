package push

import (
	"fmt"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/klauspost/compress/zstd"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// nameLabel carries the metric name in remote write.
const nameLabel = "__name__"

const (
	// maxRecordSamples and maxRequestBytes bound one record of the queue.
	maxRecordSamples = 5000
	maxRequestBytes  = 4 << 20
	// maxDecodedBytes bounds what a record may inflate to.
	maxDecodedBytes = 2 * maxRequestBytes
)

// encoder turns samples into queue payloads: a zstd frame around a WriteRequest.
// Its buffers are reused: one goroutine at a time.
type encoder struct {
	zstd    *zstd.Encoder
	request prompb.WriteRequest
	labels  []prompb.Label
	samples []prompb.Sample
	raw     []byte
	packed  []byte
}

func newEncoder() (*encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("push: zstd: %w", err)
	}
	return &encoder{zstd: z}, nil
}

// encode encodes the first n samples that fit one record. The payload is valid
// until the next call.
func (e *encoder) encode(samples []series.Sample) (payload []byte, n int) {
	n = fitting(samples)
	e.request.Reset()
	labels := 0
	for i := range samples[:n] {
		labels += len(samples[i].Labels) + 1
	}
	// Room first: the slices handed to the request must not move.
	e.labels = grown(e.labels, labels)
	e.samples = grown(e.samples, n)
	for i := range samples[:n] {
		s := &samples[i]
		from := len(e.labels)
		e.labels = append(e.labels, prompb.Label{Name: nameLabel, Value: s.Name})
		for _, l := range s.Labels {
			e.labels = append(e.labels, prompb.Label{Name: l.Name, Value: l.Value})
		}
		e.samples = append(e.samples, prompb.Sample{Value: s.Value, Timestamp: s.TimeMs})
		e.request.Timeseries = append(e.request.Timeseries, prompb.TimeSeries{
			Labels:  e.labels[from:],
			Samples: e.samples[i : i+1],
		})
	}
	e.raw = e.request.MarshalProtobuf(e.raw[:0])
	e.packed = e.zstd.EncodeAll(e.raw, e.packed[:0])
	return e.packed, n
}

// fitting is how many of the samples fit one record, at least one.
func fitting(samples []series.Sample) int {
	bytes := 0
	for i := range samples {
		bytes += 32 + len(samples[i].Name)
		for _, l := range samples[i].Labels {
			bytes += 8 + len(l.Name) + len(l.Value)
		}
		if i > 0 && (i >= maxRecordSamples || bytes > maxRequestBytes) {
			return i
		}
	}
	return len(samples)
}

// grown returns s emptied, with room for n elements.
func grown[T any](s []T, n int) []T {
	clear(s)
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

// newDecoder returns the inverse of encoder.zstd.
func newDecoder() (*zstd.Decoder, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecodedBytes))
	if err != nil {
		return nil, fmt.Errorf("push: zstd: %w", err)
	}
	return z, nil
}
