package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// commonOptions are the flags of every command that reads a dump.
type commonOptions struct {
	format  format
	output  string
	quiet   bool
	verbose bool
}

// addFlags declares the flags with their defaults.
func (o *commonOptions) addFlags(flags *pflag.FlagSet) {
	o.format = formatText
	flags.VarP(&o.format, "format", "f", "form of the report: "+strings.Join(formats(), " or "))
	flags.StringVarP(&o.output, "output", "o", "-", "write the report to `FILE`, - is standard output")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "say at the end how long each phase took")
}

// format is the form of a report.
type format string

// The forms.
const (
	formatText format = "text"
	formatJSON format = "json"
)

// formats lists the forms by name.
func formats() []string { return []string{string(formatText), string(formatJSON)} }

// String is the name of the form.
func (f *format) String() string { return string(*f) }

// Type names the kind of value in help texts.
func (f *format) Type() string { return "FORMAT" }

// Set takes over a name given by the user.
func (f *format) Set(s string) error {
	switch format(s) {
	case formatText, formatJSON:
		*f = format(s)
		return nil
	}
	return errors.New("must be " + strings.Join(formats(), " or "))
}

// scanDump reads the dump at path and analyses it, showing progress on stderr.
// Its errors are inputErrors.
func scanDump(ctx context.Context, env environment, path string, o commonOptions, options scan.Options) (*report.Report, error) {
	if err := mustBeRegular(path); err != nil {
		return nil, inputError{path, err}
	}
	started := time.Now()
	progress := term.StartProgress(env.stderr, progressMode(env, o))
	options.Progress = progress.Update
	options.Tool = report.Tool{Name: "heapscan", Version: version()}
	scanned, err := scan.File(ctx, path, options)
	phases := progress.Stop()
	if err == nil {
		// A scan that ended at the moment of the signal is thrown away as well.
		err = ctx.Err()
	}
	if err != nil {
		return nil, inputError{path, err}
	}
	if o.verbose {
		sayPhases(env, scanned.Dump.Bytes, time.Since(started), phases)
	}
	return scanned, nil
}

// mustBeRegular refuses what can't be read twice or at any place: directories,
// pipes and devices. Opening a pipe that nobody writes to would hang.
func mustBeRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("a %s, not a file", kindOf(info.Mode()))}
	}
	return nil
}

// kindOf names what is no regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	default:
		return "device or socket"
	}
}

// progressMode is the form of progress: none where it was not asked for, or
// where a program reads the report.
func progressMode(env environment, o commonOptions) term.Mode {
	switch {
	case o.quiet || o.format == formatJSON:
		return term.Silent
	case term.IsTerminal(env.stderr):
		return term.Bar
	default:
		return term.Lines
	}
}

// sayPhases tells where the time went.
func sayPhases(env environment, bytes int64, elapsed time.Duration, phases []term.Phase) {
	for _, phase := range phases {
		say(env.stderr, "time", fmt.Sprintf("%s: %s", phase.Name, unit.Duration(phase.Elapsed)))
	}
	perSecond := int64(float64(bytes) / max(elapsed.Seconds(), 0.001))
	say(env.stderr, "time", fmt.Sprintf("all: %s for %s of dump, %s/s", unit.Duration(elapsed), unit.Bytes(bytes), unit.Bytes(perSecond)))
}

// sayWarnings repeats the report's warnings on stderr, and tells by its error
// whether the report is partial.
func sayWarnings(env environment, r *report.Report) error {
	for _, w := range r.Warnings {
		say(env.stderr, "warning", w.String())
	}
	if r.Partial() {
		return errPartial
	}
	return nil
}
