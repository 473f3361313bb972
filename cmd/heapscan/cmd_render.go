package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// renderOptions are the flags of "heapscan render".
type renderOptions struct {
	outputOptions
	gate gateOptions
}

// newRenderCommand builds "heapscan render".
func newRenderCommand(env environment) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render REPORT",
		Short: "Show a saved report again, in any form, without the dump",
		Long: `render reads a report that "heapscan --format json" wrote, or - for standard input, and
writes it in another form. It gives the same as the dump would have given.` + formsHelp + gateHelp + exitStatus,
		Example: `  heapscan render report.json
  heapscan render --format html -o report.html report.json
  heapscan render --fail-on timer-held,critical --fail-min-bytes 50MiB report.json`,
		Args: oneReport,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{"json"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return runRender(env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), reportFormats()...)
	o.gate.addFlags(cmd)
	completeFormat(cmd, reportFormats()...)
	return cmd
}

// oneReport accepts exactly the path of a report.
func oneReport(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("which report? Give the path of one that heapscan --format json wrote")
	case len(args) > 1:
		return usagef("one report at a time, not %d: %q is too much", len(args), args[1])
	case args[0] == "":
		return usagef("the path of the report is empty")
	}
	return nil
}

// runRender writes a saved report in another form.
func runRender(env environment, path string, o renderOptions) error {
	if err := errors.Join(checkOutput(o.output, path), o.gate.check(), checkForm(env, o.format, o.output)); err != nil {
		return err
	}
	r, err := readReport(path)
	if err != nil {
		return inputError{path, err}
	}
	if err := writeReport(env, r, o.format, o.output); err != nil {
		return err
	}
	return errors.Join(o.gate.judge(env, r), sayWarnings(env, r))
}

// readReport reads a saved report.
func readReport(path string) (*report.Report, error) {
	input := os.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		input = file
	}
	buffered := bufio.NewReader(input)
	magic := []byte("JAVA PROFILE")
	if head, err := buffered.Peek(len(magic)); err == nil && bytes.Equal(head, magic) {
		return nil, fmt.Errorf("%w but a heap dump: heapscan report reads those", report.ErrNoReport)
	}
	return report.Read(buffered)
}
