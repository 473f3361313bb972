package push

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// memoryWindow is how long VictoriaMetrics may keep accepted samples in memory
// only: up to 14 s with its default settings, and some.
const memoryWindow = 20 * time.Second

// Writer stores samples in this process; *store.Store is one.
type Writer interface {
	Write(samples []series.Sample) error
}

// embedded delivers to the store inside the process.
type embedded struct {
	w       Writer
	decoder prompb.WriteRequestUnmarshaler
	samples sampleList
}

// Embedded is the destination that writes to w. A process that is killed loses
// what w holds in memory, so batches are kept for a window and written again at
// the next start.
func Embedded(w Writer) Destination { return &embedded{w: w} }

// Info implements Destination.
func (*embedded) Info() DestinationInfo {
	return DestinationInfo{ID: "embedded", Label: "embedded"}
}

// Deliver implements Destination.
func (e *embedded) Deliver(_ context.Context, b Batch) (Receipt, error) {
	wr, err := e.decoder.UnmarshalProtobuf(b.WriteRequest)
	if err != nil {
		return Receipt{Code: "undecodable"}, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	if err := e.w.Write(e.samples.of(wr)); err != nil {
		return Receipt{Code: "error"}, err
	}
	return Receipt{Code: "ok", Window: memoryWindow, AnyOrder: true}, nil
}

// sampleList is memory for the samples of a WriteRequest.
type sampleList struct {
	samples []series.Sample
	labels  []series.Label
}

// of are the samples of wr, valid until the next call and as long as wr is. Neighbours of
// the same labels share them.
func (l *sampleList) of(wr *prompb.WriteRequest) []series.Sample {
	l.samples, l.labels = l.samples[:0], l.labels[:0]
	var last []series.Label
	for i := range wr.Timeseries {
		ts := &wr.Timeseries[i]
		var name string
		from := len(l.labels)
		for _, label := range ts.Labels {
			if label.Name == nameLabel {
				name = label.Value
				continue
			}
			l.labels = append(l.labels, series.Label{Name: label.Name, Value: label.Value})
		}
		own := l.labels[from:len(l.labels):len(l.labels)]
		if slices.Equal(own, last) {
			own, l.labels = last, l.labels[:from]
		}
		for _, s := range ts.Samples {
			l.samples = append(l.samples, series.Sample{Name: name, Labels: own, TimeMs: s.Timestamp, Value: s.Value})
		}
		last = own
	}
	return l.samples
}
