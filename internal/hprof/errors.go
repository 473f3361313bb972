package hprof

import (
	"errors"
	"fmt"
)

// ErrNotHprof is wrapped by errors about input that is no HPROF file at all.
var ErrNotHprof = errors.New("not an HPROF heap dump")

// ErrEmpty is an ErrNotHprof: there is not one byte.
var ErrEmpty = fmt.Errorf("nothing is in it: %w", ErrNotHprof)

// ErrTruncated is wrapped by errors about input that ends too early.
var ErrTruncated = errors.New("the dump ends in the middle of a record")

// Error is a fault in the dump at a known place.
type Error struct {
	// Offset is the position in the uncompressed dump, in bytes.
	Offset int64
	// What was being read.
	What string
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at offset %d: %v", e.What, e.Offset, e.Err)
}

// Unwrap returns the fault itself, such as ErrTruncated.
func (e *Error) Unwrap() error { return e.Err }
