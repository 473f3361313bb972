package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// histogramRows is how many classes are shown unless -n says otherwise.
const histogramRows = 30

// histogramOptions are the flags of "heapscan histogram".
type histogramOptions struct {
	commonOptions
	rows int
}

// newHistogramCommand builds "heapscan histogram".
func newHistogramCommand(env environment) *cobra.Command {
	var o histogramOptions
	cmd := &cobra.Command{
		Use:   "histogram DUMP",
		Short: "Count objects and bytes by class, without an analysis",
		Long: `histogram counts the objects of each class and their bytes. It builds no graph, so
it is quick and needs little memory; it can't tell live objects from dead ones.` + exitStatus,
		Example:           `  heapscan histogram -n 10 heap.hprof`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistogram(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), formatText, formatJSON)
	cmd.Flags().IntVarP(&o.rows, "rows", "n", histogramRows, "show the `N` classes that take the most bytes")
	completeFormat(cmd, formatText, formatJSON)
	return cmd
}

// runHistogram writes the histogram alone.
func runHistogram(ctx context.Context, env environment, dump string, o histogramOptions) error {
	if o.rows < 1 {
		return usagef("--rows %d: must be 1 or more", o.rows)
	}
	if err := checkOutput(o.output, dump); err != nil {
		return err
	}
	r, err := scanDump(ctx, env, dump, o.commonOptions, scan.Options{Depth: heap.Counted}, scan.File)
	if err != nil {
		return err
	}
	r = r.WithHistogramRows(o.rows)
	err = writeOutput(env, o.output, func(w io.Writer) error {
		if o.format == formatJSON {
			return report.JSON(w, r)
		}
		return report.HistogramText(w, r, textOptions(env, o.output))
	})
	if err != nil {
		return err
	}
	return sayWarnings(env, r)
}
