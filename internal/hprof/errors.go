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

// ErrOverrun is wrapped by errors about sub-records that are longer than what is left of their heap
// record. Where that is the end of the dump, it is ErrTruncated: see File.Lost.
var ErrOverrun = errors.New("its heap record ends in the middle of it")

// overrunError is an ErrOverrun with the numbers.
type overrunError struct{ body, left int64 }

func (e overrunError) Error() string {
	return fmt.Sprintf("a body of %d bytes, %d left", e.body, e.left)
}

// Unwrap returns ErrOverrun.
func (overrunError) Unwrap() error { return ErrOverrun }

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

// until returns the fault with what is not read for it: all up to next.
func (e *Error) until(next int64) *Error {
	if next <= e.Offset {
		return e
	}
	return &Error{e.Offset, e.What, fmt.Errorf("%w; from there on %d bytes are not read", e.Err, next-e.Offset)}
}

// Lost completes the fault that ended a walk over sub-records up to end: what follows it is not
// read, or it is the dump that ends there.
func (f *File) Lost(e *Error, end int64) *Error {
	if end < f.Size || !errors.Is(e, ErrOverrun) {
		return e.until(end)
	}
	fault := ErrTruncated
	if overrun, ok := errors.AsType[overrunError](e); ok {
		fault = fmt.Errorf("%w: %w", overrun, ErrTruncated)
	}
	return &Error{e.Offset, e.What, fault}
}
