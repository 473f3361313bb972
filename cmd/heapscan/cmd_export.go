package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/scan/parquet"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
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
		Long: `export writes a row for each reachable object, sorted by address, for other programs
to take over. The columns are separated by tabs, or those of a Parquet file:

    address   in hexadecimal, such as 0x7fe01a38
    class     as Java source writes it, such as byte[]
    shallow   the object's own size in bytes
    retained  what would be freed with it, itself included, in bytes
    idom      the address of its immediate dominator: the object that all ways from
              the GC roots to it lead through last; - where there is none

The first line has these titles. In a Parquet file the sizes are 64-bit integers and the
other columns texts, the same as in lines. With --edges mat classes, sizes and dominators are
those of Eclipse Memory Analyzer (docs/engine.md).` + exitStatus,
		Example: `  heapscan export -o objects.tsv heap.hprof
  heapscan export -q heap.hprof | awk '$4 > 1000000'
  heapscan export -f parquet -o objects.parquet heap.hprof`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), formatTSV, formatParquet)
	o.edges.addFlag(cmd)
	completeFormat(cmd, formatTSV, formatParquet)
	return cmd
}

// runExport writes the objects.
func runExport(ctx context.Context, env environment, dump string, o exportOptions) error {
	if err := checkOutput(o.output, dump); err != nil {
		return err
	}
	if o.format == formatParquet && o.output == "-" && term.IsTerminal(env.stdout) {
		return usagef("a Parquet file is nothing to look at: name a file by -o")
	}
	var written error // apart: a full disk is no fault of the dump
	export := func(ctx context.Context, path string, options scan.Options) (_ *report.Report, err error) {
		e, err := scan.NewExport(ctx, path, options)
		if err != nil {
			return nil, err
		}
		written = writeOutput(env, o.output, func(w io.Writer) error {
			if o.format == formatParquet {
				return parquet.Write(ctx, w, e)
			}
			return e.WriteTSV(ctx, w)
		})
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
