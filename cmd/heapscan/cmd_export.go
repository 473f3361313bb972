package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// exportOptions are the flags of "heapscan export".
type exportOptions struct {
	commonOptions
	edges edges
}

// newExportCommand builds "heapscan export".
func newExportCommand(env environment) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export DUMP",
		Short: "Write every reachable object with its sizes and its dominator",
		Long: `export writes a line for each reachable object, sorted by address, for other programs
to take over. The columns are separated by tabs:

    address   in hexadecimal, such as 0x7fe01a38
    class     as Java source writes it, such as byte[]
    shallow   the object's own size in bytes
    retained  what would be freed with it, itself included, in bytes
    idom      the address of its immediate dominator: the object that all ways from
              the GC roots to it lead through last; - where there is none

The first line has these titles. With --edges mat classes, sizes and dominators are
those of Eclipse Memory Analyzer (docs/engine.md).` + exitStatus,
		Example: `  heapscan export -o objects.tsv heap.hprof
  heapscan export -q heap.hprof | awk '$4 > 1000000'`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), formatTSV)
	o.edges.addFlag(cmd)
	completeFormat(cmd, formatTSV)
	return cmd
}

// runExport writes the objects.
func runExport(ctx context.Context, env environment, dump string, o exportOptions) error {
	if err := checkOutput(o.output, dump); err != nil {
		return err
	}
	var written error // apart: a full disk is no fault of the dump
	export := func(ctx context.Context, path string, options scan.Options) (_ *report.Report, err error) {
		e, err := scan.NewExport(ctx, path, options)
		if err != nil {
			return nil, err
		}
		written = writeOutput(env, o.output, func(w io.Writer) error { return e.WriteTSV(ctx, w) })
		return e.Report, e.Close()
	}
	exported, err := scanDump(ctx, env, dump, o.commonOptions, scan.Options{Edges: o.edges.rules()}, export)
	if err != nil {
		return err
	}
	if written != nil {
		return written
	}
	return sayWarnings(env, exported)
}
