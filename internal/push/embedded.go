package push

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// Writer stores samples in this process; *store.Store is one.
type Writer interface {
	Write(samples []series.Sample) error
}

// embedded delivers to the store inside the process.
type embedded struct {
	w       Writer
	window  time.Duration
	raw     []byte
	decoder decoder
}

// Embedded is the destination that writes to w. A process that is killed loses
// what w holds in memory, so batches are kept for the window that w may do so, and
// written again at the next start.
func Embedded(w Writer, window time.Duration) Destination { return &embedded{w: w, window: window} }

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
	return Receipt{Code: "ok", Window: e.window, AnyOrder: true}, nil
}
