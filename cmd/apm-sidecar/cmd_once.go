package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// newOnceCommand builds "apm-sidecar once".
func newOnceCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "once --target URL",
		Short: "Poll the targets once and print the samples",
		Long: `once polls each target once and prints the samples in Prometheus' text form. It
stores nothing. Metrics that need two polls are not in it. The exit status is 1
when no target answered and 3 when some did not.`,
		Args: noArguments,
	}
	s := addSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.load(env.getenv)
		if err != nil {
			return err
		}
		targets, err := c.JVMs()
		if err != nil {
			return usageError{err}
		}
		return once(cmd, env, targets)
	}
	return cmd
}

// once polls one target after the other.
func once(cmd *cobra.Command, env environment, targets []jvm.Target) error {
	var samples []series.Sample
	var errs []error
	for _, t := range targets {
		client := jmx.New(t, jmx.Options{})
		snapshot, err := client.Poll(cmd.Context())
		client.Close()
		deriver := series.NewDeriver(series.TargetLabels(t))
		if err != nil {
			errs = append(errs, fmt.Errorf("target %s: %w", t.Name(), err))
			samples = append(samples, deriver.Down(time.Now())...)
			continue
		}
		for _, m := range snapshot.Missing {
			env.logger().Warn("part of the target cannot be read", "target", t.Name(), "part", m.Part, "reason", m.Reason)
		}
		samples = append(samples, deriver.Derive(snapshot)...)
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if err := series.WriteText(env.stdout, samples); err != nil {
		return err
	}
	err := errors.Join(errs...)
	if len(errs) > 0 && len(errs) < len(targets) {
		explain(env.stderr, err)
		return errPartial
	}
	return err
}
