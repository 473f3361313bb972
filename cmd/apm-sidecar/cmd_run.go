package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// newRunCommand builds "apm-sidecar run".
func newRunCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --target URL",
		Short: "Watch the targets until interrupted",
		Long: `run polls the targets and stores what it sees until SIGINT or SIGTERM; a second
signal ends it at once.

Samples go to the embedded VictoriaMetrics in the data folder, with its query API
and vmui on the listen address. With --remote-write they go to those receivers
instead, and nothing is stored here beyond what waits to be sent; --embedded keeps
the store beside them.

SIGHUP, POST /-/reload and a change of the configuration file have it read again:
all of it takes effect at once but listen, data_dir, store and retention, which wait
for the next start. A faulty one changes nothing.`,
		Args: noArguments,
	}
	s := addSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// First of all: until somebody listens a SIGHUP ends the process.
		hangUp := make(chan os.Signal, 1)
		signal.Notify(hangUp, syscall.SIGHUP)
		defer signal.Stop(hangUp)
		env.hangUp = hangUp
		c, err := s.load(env.getenv)
		if err != nil {
			return err
		}
		collectEarly(env.getenv)
		sleepLazily()
		return serve(cmd.Context(), env, s, c)
	}
	return cmd
}
