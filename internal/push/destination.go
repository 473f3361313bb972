package push

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors a caller may test with errors.Is.
var (
	// ErrRejected is wrapped by an error of Deliver when the receiver will never
	// take this batch: it becomes a dead letter. All other errors mean: again.
	ErrRejected = errors.New("rejected by the receiver")
	// ErrOutOfOrder is an ErrRejected of samples older than others of their series
	// that the receiver has.
	ErrOutOfOrder = fmt.Errorf("%w as out of order", ErrRejected)
	// ErrClosed is returned by Append after Close.
	ErrClosed = errors.New("push: closed")
	// ErrInUse says that the folder belongs to a running process.
	ErrInUse = errors.New("push: folder is in use")
)

// Destination is one receiver of samples. Deliver is called by one goroutine.
type Destination interface {
	// Info is constant.
	Info() DestinationInfo
	// Deliver hands a batch over and returns when the receiver accepted it. The
	// batch is valid until it returns; one without samples asks only whether the
	// receiver is there. The receipt counts even with an error.
	Deliver(ctx context.Context, b Batch) (Receipt, error)
}

// DestinationInfo tells destinations apart.
type DestinationInfo struct {
	// ID stays the same over restarts and names the queue's folder (hashed); it
	// may hold secrets and is never shown.
	ID string
	// Label names the destination in logs and metrics, without secrets.
	Label string
}

// Batch is what is handed over at once: a WriteRequest, the protobuf message of
// Prometheus remote write 1.0.
type Batch struct {
	// Frame is the WriteRequest in a zstd frame; empty if nothing is in it.
	Frame []byte
	// Samples is the number of samples in it.
	Samples int

	packing *packing
}

// WriteRequest appends the WriteRequest to dst.
func (b Batch) WriteRequest(dst []byte) ([]byte, error) {
	if len(b.Frame) == 0 {
		return dst, nil
	}
	return b.packing.unpack(dst, b.Frame)
}

// Receipt tells what the worker must know about a delivery.
type Receipt struct {
	// Code is the outcome for metrics: an HTTP status or a word.
	Code string
	// Window is how long after now the receiver may still lose an accepted batch.
	Window time.Duration
	// MayHaveRestarted says that batches accepted earlier, within their window,
	// may be lost.
	MayHaveRestarted bool
	// Lost says so as well, and is no guess from a connection, which may be wrong each time.
	Lost bool
	// HeldAt is when the receiver was last seen to be the one that accepted earlier
	// batches; the zero value means as Deliver began.
	HeldAt time.Time
	// AnyOrder says that the receiver takes samples older than those it has.
	AnyOrder bool
	// RetryAfter is the pause the receiver asked for, zero when it did not.
	RetryAfter time.Duration
}
