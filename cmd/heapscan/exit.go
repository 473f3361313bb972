package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// exitCode is how a run ends, for scripts.
type exitCode int

// The exit codes; exitStatus lists them for users.
const (
	exitOK          exitCode = 0
	exitError       exitCode = 1
	exitUsage       exitCode = 2
	exitPartial     exitCode = 3
	exitGate        exitCode = 4
	exitUnreadable  exitCode = 10
	exitNotHprof    exitCode = 11
	exitInterrupted exitCode = 130
)

// exitStatus is the part of the help texts on exit codes.
const exitStatus = `

Exit status:
    0  the report is complete
    1  an error that has no code of its own
    2  wrong usage
    3  the dump is damaged or ends too early: the report covers what could be read
    4  a finding that --fail-on names; goes before 3
   10  the dump can't be read
   11  the file is no HPROF dump, nor a report where one is taken
  130  interrupted`

// errPartial ends a run whose report is written but covers a damaged dump. It
// has been explained by the warnings.
var errPartial = errors.New("partial report")

// errGate ends a run whose report is written but has findings that --fail-on names. It
// has been explained.
var errGate = errors.New("--fail-on")

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// flagError is wrong usage of a flag, told without the words of Go's own parser of numbers.
func flagError(err error) error {
	var value *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &value) || !errors.As(err, &number) {
		return usageError{err}
	}
	wanted := "a whole number"
	if value.GetFlag().Value.Type() == "bool" {
		wanted = "true or false"
	}
	return usagef("invalid argument %q for %q flag: must be %s", value.GetValue(), "--"+value.GetFlag().Name, wanted)
}

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// inputError is a fault of the dump or of reading it.
type inputError struct {
	path string
	err  error
}

func (e inputError) Error() string {
	message := e.err.Error()
	if strings.Contains(message, e.path) {
		return message
	}
	return e.path + ": " + message
}

func (e inputError) Unwrap() error { return e.err }

// codeOf maps the end of a run to its exit code.
func codeOf(err error) exitCode {
	var usage usageError
	var input inputError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errGate):
		return exitGate
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, hprof.ErrNotHprof), errors.Is(err, report.ErrNoReport):
		return exitNotHprof
	case errors.As(err, &input) && input.unreadable():
		return exitUnreadable
	default:
		return exitError
	}
}

// unlessInterrupted returns the error of a run. Who interrupts one is told just that, though it was
// about to fail for another reason: a scan may be refusing its memory at that moment.
func unlessInterrupted(ctx context.Context, err error) error {
	switch codeOf(err) {
	case exitOK, exitUsage, exitPartial, exitGate:
		return err
	}
	return cmp.Or(ctx.Err(), err)
}

// unreadable tells faults of the file from faults of the analysis.
func (e inputError) unreadable() bool {
	var pathError *fs.PathError
	var place *hprof.Error
	return errors.As(e.err, &pathError) || errors.As(e.err, &place) || errors.Is(e.err, hprof.ErrTruncated)
}

// hintFor is what the user can do about an error, empty where there is no advice.
func hintFor(err error) string {
	var advised interface{ Hint() string }
	switch code := codeOf(err); {
	case errors.As(err, &advised):
		return advised.Hint()
	case code == exitUsage:
		return "heapscan --help shows how to call it"
	case errors.Is(err, report.ErrNoReport):
		return "heapscan --format json writes reports that can be read again"
	case errors.Is(err, hprof.ErrEmpty):
		return "a JVM leaves an empty file where its disk is full, and where it has only begun to write"
	case code == exitNotHprof:
		return "jcmd PID GC.heap_dump FILE and -XX:+HeapDumpOnOutOfMemoryError write HPROF dumps; core files, JFR recordings and OpenJ9's own formats are something else"
	case errors.Is(err, fs.ErrPermission) && code == exitUnreadable:
		return "a JVM writes a dump that only its own user may read: run heapscan as that user"
	default:
		return ""
	}
}

// explain writes one line on what went wrong, perhaps a hint, and returns the
// exit code.
func explain(stderr io.Writer, err error) exitCode {
	code := codeOf(err)
	switch code {
	case exitOK, exitPartial, exitGate:
		return code
	case exitInterrupted:
		say(stderr, "interrupted", "no report was written")
		return code
	}
	say(stderr, "error", err.Error())
	if hint := hintFor(err); hint != "" {
		say(stderr, "hint", hint)
	}
	return code
}

// say writes one line to stderr. What it says may stem from the dump.
func say(stderr io.Writer, kind, message string) {
	// There is nowhere to report that stderr is closed.
	_, _ = fmt.Fprintf(stderr, "%s: %s\n", kind, report.Printable(strings.TrimSpace(message)))
}
