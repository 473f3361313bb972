package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// exitCode is how a run ends, for scripts.
type exitCode int

// The exit codes; exitStatus lists them for users.
const (
	exitOK          exitCode = 0
	exitError       exitCode = 1
	exitUsage       exitCode = 2
	exitPartial     exitCode = 3
	exitInterrupted exitCode = 130
)

// exitStatus is the part of the help texts on exit codes.
const exitStatus = `

Exit status:
    0  ended as asked
    1  an error
    2  wrong usage or a faulty configuration
    3  a partial result
  130  interrupted before there was a result`

// usageError is a command line or a configuration that makes no sense.
type usageError struct{ error }

// Unwrap is the fault.
func (e usageError) Unwrap() error { return e.error }

// configurationError is a fault of what the configuration says.
type configurationError struct{ error }

// Unwrap is the fault.
func (e configurationError) Unwrap() error { return e.error }

// hintOf says where to read on after a wrong usage.
func hintOf(err error) string {
	if _, ok := errors.AsType[configurationError](err); ok {
		return "hint: apm-sidecar check --help shows every setting with its default"
	}
	return "hint: apm-sidecar --help shows how to call it"
}

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errPartial ends a command that gave a part of its result and has said so.
var errPartial = errors.New("partial result")

// codeOf maps the end of a run to its exit code.
func codeOf(err error) exitCode {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errPartial), errors.Is(err, agent.ErrPartial):
		return exitPartial
	}
	return exitError
}

// explain writes what went wrong, one line a fault, and returns the exit code.
func explain(stderr io.Writer, err error) exitCode {
	code := codeOf(err)
	if code == exitOK || errors.Is(err, errPartial) {
		return code
	}
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		if !strings.HasPrefix(line, " ") { // else it is an excerpt
			line = "error: " + line
		}
		// There is nowhere to report that stderr is closed.
		_, _ = fmt.Fprintln(stderr, unit.Printable(line))
	}
	if code == exitUsage {
		_, _ = fmt.Fprintln(stderr, hintOf(err))
	}
	return code
}
