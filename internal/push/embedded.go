package push

import (
	"context"
	"fmt"
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
	samples []series.Sample
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
	e.samples = appendSamples(e.samples[:0], wr)
	if err := e.w.Write(e.samples); err != nil {
		return Receipt{Code: "error"}, err
	}
	return Receipt{Code: "ok", Window: memoryWindow, AnyOrder: true}, nil
}

// appendSamples appends the samples of wr to dst.
func appendSamples(dst []series.Sample, wr *prompb.WriteRequest) []series.Sample {
	for i := range wr.Timeseries {
		ts := &wr.Timeseries[i]
		var name string
		labels := make([]series.Label, 0, len(ts.Labels))
		for _, l := range ts.Labels {
			if l.Name == nameLabel {
				name = l.Value
				continue
			}
			labels = append(labels, series.Label{Name: l.Name, Value: l.Value})
		}
		for _, s := range ts.Samples {
			dst = append(dst, series.Sample{Name: name, Labels: labels, TimeMs: s.Timestamp, Value: s.Value})
		}
	}
	return dst
}
