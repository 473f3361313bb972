package push

import (
	"context"
	"fmt"
	"time"

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
	raw     []byte
	decoder decoder
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
	var samples []series.Sample
	raw, err := b.WriteRequest(e.raw[:0])
	if err == nil {
		e.raw = raw
		samples, err = e.decoder.decode(raw)
	}
	if err != nil {
		return Receipt{Code: "undecodable"}, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	if err := e.w.Write(samples); err != nil {
		return Receipt{Code: "error"}, err
	}
	return Receipt{Code: "ok", Window: memoryWindow, AnyOrder: true}, nil
}
