package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// outputOptions are the flags of every command that writes something.
type outputOptions struct {
	format  format
	formats []format // what format may be, the default first
	output  string
	quiet   bool
}

// addFlags declares the flags with their defaults; the first format is the default.
func (o *outputOptions) addFlags(flags *pflag.FlagSet, formats ...format) {
	o.format, o.formats = formats[0], formats
	flags.VarP(formatFlag{o}, "format", "f", "form of the output: "+join(formats))
	flags.StringVarP(&o.output, "output", "o", "-", "write to `FILE`, - is standard output")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
}

// commonOptions are the flags of every command that analyses a dump.
type commonOptions struct {
	outputOptions
	number  int // of the dump in the file, from 1
	verbose bool
	memory  size // limit, 0 for none
}

// addFlags declares the flags with their defaults; the first format is the default.
func (o *commonOptions) addFlags(flags *pflag.FlagSet, formats ...format) {
	o.outputOptions.addFlags(flags, formats...)
	flags.IntVar(&o.number, "dump", 1, "read dump number `N` of a file that holds several")
	flags.Var(&o.memory, "max-memory", "take no more memory than SIZE, such as 512M; use the disk for more (default what is free)")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "say what each phase will take, and at the end how long it took")
}

// format is the form of an output.
type format string

// The forms.
const (
	formatText     format = "text"
	formatJSON     format = "json"
	formatHTML     format = "html"
	formatMarkdown format = "markdown"
	formatPprof    format = "pprof"
	formatTSV      format = "tsv"
	formatParquet  format = "parquet"
)

// join lists formats for people.
func join(formats []format) string {
	all := names(formats)
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// names lists formats by name.
func names(formats []format) []string {
	var all []string
	for _, f := range formats {
		all = append(all, string(f))
	}
	return all
}

// formatFlag is the flag --format.
type formatFlag struct{ o *outputOptions }

// String is the name of the form.
func (f formatFlag) String() string {
	if f.o == nil {
		return "" // pflag asks a zero value what its default is
	}
	return string(f.o.format)
}

// Type names the kind of value in help texts.
func (formatFlag) Type() string { return "FORMAT" }

// Set takes over a name given by the user.
func (f formatFlag) Set(s string) error {
	if !slices.Contains(f.o.formats, format(s)) {
		return errors.New("must be " + join(f.o.formats))
	}
	f.o.format = format(s)
	return nil
}

// toolName is the name of the program in reports.
const toolName = "heapscan"

// scanDump has the dump at path read by scan.File or another function that does,
// showing progress on stderr. Its errors are inputErrors, or a usageError where the
// file has no dump of that number, or no object at an address.
func scanDump[A report.Answer](ctx context.Context, env environment, path string, o commonOptions, options scan.Options,
	read func(ctx context.Context, path string, o scan.Options) (A, error)) (A, error) {
	var none A
	if o.number < 1 {
		return none, usagef("--dump %d: must be 1 or more", o.number)
	}
	options.Dump = o.number - 1
	started := time.Now()
	progress := term.StartProgress(env.stderr, progressMode(env, o.outputOptions), env.asked)
	options.Progress = progress.Update
	options.MaxMemoryBytes = int64(o.memory)
	options.Planned = func(p scan.Plan) { sayPlan(env, o, p) }
	options.Tool = report.Tool{Name: toolName, Version: version()}
	scanned, err := read(ctx, path, options)
	phases := progress.Stop()
	if err == nil {
		// A scan that ended at the moment of the signal is thrown away as well.
		err = ctx.Err()
	}
	var nothing *scan.NoObjectError
	if errors.Is(err, heap.ErrNoDump) || errors.As(err, &nothing) {
		return none, usageError{err}
	}
	if err != nil {
		return none, inputError{path, err}
	}
	if o.verbose {
		sayPhases(env, scanned.About().Dump.Bytes, time.Since(started), phases)
	}
	return scanned, nil
}

// progressMode is the form of progress: none where it was not asked for, or
// where a program reads the report.
func progressMode(env environment, o outputOptions) term.Mode {
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

// sayWarnings repeats the warnings of an answer on stderr, and tells by its error
// whether it is partial.
func sayWarnings(env environment, a report.Answer) error {
	head := a.About()
	return tellWarnings(env, head.Warnings, head.Partial())
}

// tellWarnings writes warnings to stderr; its error tells that something is partial.
func tellWarnings(env environment, warnings []report.Warning, partial bool) error {
	for _, w := range warnings {
		say(env.stderr, "warning", w.String())
	}
	if partial {
		return errPartial
	}
	return nil
}
