package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// maxPollsAtOnce bounds the connections of a single round.
const maxPollsAtOnce = 64

// newOnceCommand builds "apm-sidecar once".
func newOnceCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "once --target URL",
		Short: "Poll the targets once and print the samples",
		Long: `once polls each target of flags and file once, not those of discovery, and prints the
samples in Prometheus' text form. It stores nothing. Metrics that need two polls are not in it. The exit status is 1
when no target answered and 3 when some did not.`,
		Args: noArguments,
	}
	s := addSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.load(env.getenv)
		if err != nil {
			return err
		}
		targets, err := namedTargets(c)
		if err != nil {
			return err
		}
		naming, err := series.ParseNaming(c.Naming)
		if err != nil {
			return usageError{err}
		}
		return once(cmd, env, targets, naming)
	}
	return cmd
}

// namedTargets are those of flags and file, for commands that ask no others: at least one.
func namedTargets(c config.Config) ([]jvm.Target, error) {
	targets, err := c.JVMs()
	if err != nil {
		return nil, usageError{err}
	}
	if len(targets) == 0 {
		return nil, usagef("the configuration names no target, and those of discovery are not asked here: give one by --target (a running sidecar lists what it found on /targets)")
	}
	return targets, nil
}

// answer is what one target gave.
type answer struct {
	samples []series.Sample
	missing []jvm.Missing
	err     error
}

// once polls all targets at the same time, so that a hung one holds up the end
// alone, and tells in the order of the configuration.
func once(cmd *cobra.Command, env environment, targets []jvm.Target, naming series.Naming) error {
	answers := make([]answer, len(targets))
	var polls errgroup.Group
	polls.SetLimit(maxPollsAtOnce)
	for i, t := range targets {
		polls.Go(func() error {
			answers[i] = pollOnce(cmd.Context(), t, naming)
			return nil
		})
	}
	if err := errors.Join(polls.Wait(), cmd.Context().Err()); err != nil {
		return err
	}
	var samples []series.Sample
	var errs []error
	for i, a := range answers {
		name := targets[i].Name()
		if a.err != nil {
			errs = append(errs, fmt.Errorf("target %s: %w", name, a.err))
		}
		for _, m := range a.missing {
			env.logger().Warn("part of the target cannot be read", "target", name, "part", m.Part, "reason", m.Reason)
		}
		samples = append(samples, a.samples...)
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

// pollOnce asks for the fast and the slow tier, and for the threads.
func pollOnce(ctx context.Context, t jvm.Target, naming series.Naming) answer {
	client := jmx.New(t, jmx.Options{})
	defer client.Close()
	deriver := series.NewDeriver(series.Options{Labels: series.TargetLabels(t), Naming: naming})
	snapshot, err := client.Poll(ctx)
	if err != nil {
		return answer{samples: deriver.Down(time.Now()), err: err}
	}
	a := answer{samples: deriver.Derive(snapshot), missing: snapshot.Missing}
	details, err := client.Details(ctx)
	if err != nil {
		a.missing = append(a.missing, jvm.Missing{Part: "the slow tier", Reason: err.Error()})
		return a
	}
	a.samples = append(a.samples, deriver.Details(details)...)
	a.missing = append(a.missing, details.Missing...)
	if len(details.ThreadIDs) > 0 {
		threads, err := client.ThreadStates(ctx, details.ThreadIDs)
		if err != nil {
			a.missing = append(a.missing, jvm.Missing{Part: "the threads", Reason: err.Error()})
			return a
		}
		a.samples = append(a.samples, deriver.ThreadStates(threads)...)
		a.missing = append(a.missing, threads.Missing...)
	}
	return a
}
