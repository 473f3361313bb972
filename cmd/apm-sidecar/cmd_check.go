package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newCheckCommand builds "apm-sidecar check".
func newCheckCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check the configuration and say what it amounts to",
		Long: `check reads flags, environment and configuration file as run does, names every
fault, and contacts nobody.`,
		Args: noArguments,
	}
	s := addSettings(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := s.load(env.getenv)
		if err != nil {
			return err
		}
		targets, err := c.JVMs()
		if err != nil {
			return usageError{err}
		}
		_, err = fmt.Fprintf(env.stdout, "the configuration is valid: %d target(s) every %s\n", len(targets), c.Interval)
		for _, t := range targets {
			if err != nil {
				break
			}
			_, err = fmt.Fprintf(env.stdout, "  %s  %s  credentials: %s\n", t.Name(), t.URL, t.Credentials)
		}
		return err
	}
	return cmd
}
