package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// reportOptions are the flags of "heapscan report".
type reportOptions struct {
	commonOptions
	edges edges
	gate  gateOptions
}

// newReportCommand builds "heapscan report".
func newReportCommand(env environment) *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report DUMP",
		Short: "Analyse a dump: verdict, finalizers, timers, histogram",
		Long: `report analyses a dump and writes what is wrong, who is to blame and what to do;
then the finalizers by state, the timers with their tasks, the class histogram and
the biggest objects. The JSON form is described in docs/report-schema.md.

With --edges mat the numbers are those of Eclipse Memory Analyzer; the verdict, the
finalizers and the timers are left out, as they follow from the strong graph.` + formsHelp + gateHelp + exitStatus,
		Example: `  heapscan heap.hprof
  heapscan report --format html -o report.html heap.hprof.gz
  heapscan report --format json -o report.json --fail-on warning heap.hprof`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReport(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), reportFormats()...)
	o.edges.addFlag(cmd)
	o.gate.addFlags(cmd)
	completeFormat(cmd, reportFormats()...)
	return cmd
}

// completeFormat offers the values of --format to the shell.
func completeFormat(cmd *cobra.Command, formats ...format) {
	mustComplete(cmd, "format", names(formats)...)
}

// mustComplete offers the values of a flag to the shell.
func mustComplete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is not declared: a bug of ours
	}
}

// runReport writes the whole report.
func runReport(ctx context.Context, env environment, dump string, o reportOptions) error {
	if err := errors.Join(checkOutput(o.output, dump), o.gate.check(), checkForm(env, o.format, o.output)); err != nil {
		return err
	}
	if o.gate.asked() && o.edges.rules() != heap.EdgesStrong {
		return usagef("--fail-on needs the verdicts, which --edges %s leaves out", o.edges.String())
	}
	r, err := scanDump(ctx, env, dump, o.commonOptions, scan.Options{Edges: o.edges.rules()}, scan.File)
	if err != nil {
		return err
	}
	if err := writeReport(env, r, o.format, o.output); err != nil {
		return err
	}
	return errors.Join(o.gate.judge(env, r), sayWarnings(env, r))
}
