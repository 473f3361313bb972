package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// environment is the outside world of one run.
type environment struct {
	stdout, stderr io.Writer
	getenv         func(string) string
	// hangUp tells that the configuration is to be read again; nil where nobody is asked to.
	hangUp <-chan os.Signal
	// exit ends the process at once; nil where it is to be panic's.
	exit func(code int)
}

// giveUp ends the process over what leaves no other way. What waits to be stored or sent is
// on disk, as it would be had the process been killed.
func (e environment) giveUp(err error) {
	code := explain(e.stderr, err)
	if e.exit != nil {
		e.exit(int(code))
	}
}

// logger writes text lines to stderr.
func (e environment) logger() *slog.Logger { return slog.New(slog.NewTextHandler(e.stderr, nil)) }

// run executes one command line and tells how it ended.
func run(ctx context.Context, env environment, args []string) exitCode {
	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	return explain(env.stderr, root.ExecuteContext(ctx))
}

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "apm-sidecar",
		Short: "Watch Java virtual machines through Jolokia",
		Long: `apm-sidecar polls Java virtual machines through their Jolokia agents, stores what
it sees in VictoriaMetrics (inside the process, or elsewhere by remote write), and
takes and analyses a heap dump when a JVM runs out of memory.

Flags override environment variables, these override the configuration file.` + exitStatus,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE: func(*cobra.Command, []string) error {
			return usagef("which command? Try: apm-sidecar run --target http://127.0.0.1:8778/jolokia/")
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRunCommand(env), newOnceCommand(env), newCheckCommand(env), newDoctorCommand(env), newPolicyCommand(env), newAttachCommand(env), newHealthCommand(env), newVersionCommand(), newAnalyzeCommand(env))
	return root
}

// noArguments accepts nothing.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasParent():
		return usagef("unexpected argument %q", args[0])
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("%q is no command: did you mean %s?", args[0], near[0])
	}
	return usagef("%q is no command", args[0])
}
