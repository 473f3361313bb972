package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// gateHelp is the part of the help texts on --fail-on.
const gateHelp = `

--fail-on makes a gate of it: the report is written, and where it has a finding of a
kind or severity that is named, the exit status is 4. A severity stands for itself and
all that is worse: "warning" fails on warnings and on critical findings, "info" on
anything found. --fail-min-bytes and --fail-min-objects let pass what costs less.`

// gateOptions are the flags of a gate.
type gateOptions struct {
	on         string
	minBytes   string
	minObjects int64

	gate report.Gate // once checked
}

// addFlags declares the flags.
func (o *gateOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.on, "fail-on", "", "exit with 4 on findings of a `KIND` or severity, several by commas: critical, warning, timer-held ...")
	flags.StringVar(&o.minBytes, "fail-min-bytes", "", "with --fail-on: only findings of at least this `SIZE`, such as 50MiB")
	flags.Int64Var(&o.minObjects, "fail-min-objects", 0, "with --fail-on: only findings of at least `N` objects")
	var values []string
	for _, s := range finding.Severities() {
		values = append(values, string(s))
	}
	mustComplete(cmd, "fail-on", append(values, finding.Kinds()...)...)
}

// asked tells whether there is a gate.
func (o *gateOptions) asked() bool { return o.on != "" }

// check reads the flags. Its errors are usageErrors.
func (o *gateOptions) check() (err error) {
	if !o.asked() {
		if o.minBytes != "" || o.minObjects != 0 {
			return usagef("--fail-min-bytes and --fail-min-objects say how much is too much: --fail-on says of what")
		}
		return nil
	}
	if o.gate, err = report.ParseGate(o.on); err != nil {
		return usagef("--fail-on: %w", err)
	}
	if o.minObjects < 0 {
		return usagef("--fail-min-objects %d: must not be negative", o.minObjects)
	}
	o.gate.MinObjects = o.minObjects
	if o.minBytes != "" {
		if o.gate.MinBytes, err = unit.ParseBytes(o.minBytes); err != nil {
			return usagef("--fail-min-bytes: %w", err)
		}
	}
	return nil
}

// judge tells which findings fail, by its error that there are any.
func (o *gateOptions) judge(env environment, r *report.Report) error {
	if !o.asked() {
		return nil
	}
	failing, err := o.gate.Failing(r)
	if err != nil {
		return fmt.Errorf("--fail-on: %w", err)
	}
	for _, f := range failing {
		say(env.stderr, "fail-on", fmt.Sprintf("%s %s: %s (%s, %s)", f.Severity, f.Kind, f.Title,
			unit.Plural(f.Objects, "object", "objects"), unit.Bytes(f.Bytes)))
	}
	if len(failing) > 0 {
		return errGate
	}
	return nil
}
