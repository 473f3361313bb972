package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/doctor"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
)

// newDoctorCommand builds "apm-sidecar doctor".
func newDoctorCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor --target URL",
		Short: "Say what keeps the targets from being watched in full, and what to switch",
		Long: `doctor asks each target everything that run would ask, and says what is missing and
which switch of the JVM, the server or the agent provides it; whether the agent lets
others do more than the sidecar needs; and what is known against the agent's version.
It changes nothing in the JVM. It asks the targets of flags and file, not those of
discovery. The exit status is 1 when no target answered and 3 when some did not.`,
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
		found := make([][]doctor.Finding, len(targets))
		var visits errgroup.Group
		visits.SetLimit(maxPollsAtOnce)
		for i, t := range targets {
			visits.Go(func() error {
				client := jmx.New(t, jmx.Options{Timeout: t.Timeout})
				defer client.Close()
				found[i] = doctor.Examine(cmd.Context(), t, client)
				return nil
			})
		}
		if err := errors.Join(visits.Wait(), cmd.Context().Err()); err != nil {
			return err
		}
		failed := 0
		for i, findings := range found {
			if _, err := fmt.Fprintf(env.stdout, "%s  %s\n", targets[i].Name(), targets[i].URL); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Level == doctor.Fail {
					failed++
				}
				if _, err := fmt.Fprintf(env.stdout, "  %-4s  %s\n", f.Level, f.Text); err != nil {
					return err
				}
			}
		}
		switch {
		case failed == 0:
			return nil
		case failed < len(targets):
			return errPartial
		}
		return errors.New("no target answered")
	}
	return cmd
}
