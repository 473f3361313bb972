package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// newReportCommand builds "heapscan report".
func newReportCommand(env environment) *cobra.Command {
	var o commonOptions
	cmd := &cobra.Command{
		Use:   "report DUMP",
		Short: "Analyse a dump: verdict, finalizers, timers, histogram",
		Long: `report analyses a dump and writes what is wrong, who is to blame and what to do;
then the finalizers by state, the timers with their tasks, the class histogram and
the biggest objects. The JSON form is described in docs/report-schema.md.` + exitStatus,
		Example: `  heapscan heap.hprof
  heapscan report --format json -o report.json heap.hprof.gz`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReport(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags())
	completeFormat(cmd)
	return cmd
}

// completeFormat offers the values of --format to the shell.
func completeFormat(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is not declared: a bug of ours
	}
}

// runReport writes the whole report.
func runReport(ctx context.Context, env environment, dump string, o commonOptions) error {
	if err := checkOutput(o.output, dump); err != nil {
		return err
	}
	r, err := scanDump(ctx, env, dump, o, scan.Options{})
	if err != nil {
		return err
	}
	err = writeOutput(env, o.output, func(w io.Writer) error {
		if o.format == formatJSON {
			return report.JSON(w, r)
		}
		return report.Text(w, r, textOptions(env, o.output))
	})
	if err != nil {
		return err
	}
	return sayWarnings(env, r)
}
