package main

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// diffRows is how many classes are shown unless -n says otherwise.
const diffRows = 50

// diffOptions are the flags of "heapscan diff".
type diffOptions struct {
	commonOptions
	edges    edges
	retained bool
	rows     int
}

// newDiffCommand builds "heapscan diff".
func newDiffCommand(env environment) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say what grew between two dumps, or two saved reports",
		Long: `diff compares two heap dumps of one program: which classes grew, shrank, appeared or
vanished, and by how much. Each of the two may also be a report that was saved by
"heapscan --format json"; which it is shows in the file itself.

Of dumps the classes are counted, as histogram does. With --retained they are
analysed in full: then the retained sizes, the Finalizers by state and the findings
are compared as well. Saved reports have all that already. Of what only one of the
two has, nothing is said.

The JSON form is described in docs/diff-schema.md.` + exitStatus,
		Example: `  heapscan diff monday.hprof friday.hprof
  heapscan diff --retained -n 10 report-of-monday.json friday.hprof`,
		Args:              twoInputs,
		ValidArgsFunction: completeReports,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDiff(cmd.Context(), env, args[0], args[1], o)
		},
	}
	o.addFlags(cmd.Flags(), formatText, formatJSON)
	o.edges.addFlag(cmd)
	cmd.Flags().BoolVar(&o.retained, "retained", false, "analyse dumps in full: retained sizes, Finalizers and findings too")
	cmd.Flags().IntVarP(&o.rows, "limit", "n", diffRows, "show the `N` classes that grew the most")
	completeFormat(cmd, formatText, formatJSON)
	return cmd
}

// twoInputs accepts exactly two paths.
func twoInputs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) < 2:
		return usagef("compare what with what? Give the paths of two dumps or saved reports")
	case len(args) > 2:
		return usagef("two inputs at a time, not %d: %q is too much", len(args), args[2])
	case args[0] == "" || args[1] == "":
		return usagef("the path of an input is empty")
	case args[0] == "-" && args[1] == "-":
		return usagef("only one of the two can be standard input")
	}
	return nil
}

// completeReports completes the names of dumps and reports.
func completeReports(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"hprof", "gz", "zst", "bin", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// runDiff compares two inputs.
func runDiff(ctx context.Context, env environment, before, after string, o diffOptions) error {
	if o.rows < 1 {
		return usagef("--limit %d: must be 1 or more", o.rows)
	}
	for _, input := range []string{before, after} {
		if err := checkOutput(o.output, input); err != nil {
			return err
		}
	}
	var reports [2]*report.Report
	for i, input := range []string{before, after} {
		r, err := reportOf(ctx, env, input, o)
		if err != nil {
			return err
		}
		reports[i] = r
	}
	tool := report.Tool{Name: toolName, Version: version()}
	d := report.Compare(tool, reports[0], reports[1], o.rows)
	err := writeOutput(env, o.output, func(w io.Writer) error {
		if o.format == formatJSON {
			return report.DiffJSON(w, d)
		}
		return report.DiffText(w, d, textOptions(env, o.output))
	})
	if err != nil {
		return err
	}
	return tellWarnings(env, d.Warnings, d.Partial())
}

// reportOf reads a saved report, or has a dump read.
func reportOf(ctx context.Context, env environment, path string, o diffOptions) (*report.Report, error) {
	r, err := savedReport(path)
	if err != nil {
		return nil, inputError{path, err}
	}
	if r != nil {
		return r, nil
	}
	options := scan.Options{Depth: heap.Counted, AllClasses: true, Edges: o.edges.rules()}
	if o.retained {
		options.Depth = heap.Linked
	}
	return scanDump(ctx, env, path, o.commonOptions, options, scan.File)
}

// savedReport reads the report in a file, nil if there is none: reports are JSON
// objects, and no dump begins like one. Pipes, and what cannot be read, are left to
// whoever reads dumps.
func savedReport(path string) (*report.Report, error) {
	info, err := os.Stat(path)
	if path == "-" || err != nil || !info.Mode().IsRegular() {
		return nil, nil //nolint:nilerr // the fault is met again, and told, when the file is read as a dump
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buffered := bufio.NewReader(file)
	for {
		b, err := buffered.ReadByte()
		if err != nil {
			return nil, nil //nolint:nilerr // as above
		}
		switch b {
		case ' ', '\t', '\r', '\n':
		case '{':
			if err := buffered.UnreadByte(); err != nil {
				return nil, err
			}
			return report.Read(buffered)
		default:
			return nil, nil
		}
	}
}
