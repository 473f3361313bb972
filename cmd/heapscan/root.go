package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
)

// environment is the outside world of one run.
type environment struct {
	stdout, stderr *os.File
	getenv         func(string) string
	asked          <-chan os.Signal // gets a value when somebody asks how far it is
}

// run executes one command line and tells how it ended.
func run(ctx context.Context, env environment, args []string) exitCode {
	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	return explain(env.stderr, unlessInterrupted(ctx, root.ExecuteContext(ctx)))
}

// newRootCommand builds the command tree. The root itself is the report command,
// so that "heapscan DUMP" is enough.
func newRootCommand(env environment) *cobra.Command {
	root := newReportCommand(env)
	root.Use = "heapscan DUMP"
	root.Short = "Say what fills a Java heap, who holds it and what to do"
	root.Long = `heapscan reads a heap dump of a Java virtual machine (HPROF, also gzipped) and says
what fills the heap, who holds it and what to do about it.

DUMP is a file, plain or compressed by gzip or zstd, a pipe, or - for standard input.
"heapscan DUMP" is short for "heapscan report DUMP".

The signal SIGUSR1 has it write on standard error how far it is, whatever else is shown.` + exitStatus
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.AddCommand(newReportCommand(env), newRenderCommand(env), newHistogramCommand(env), newDominatorsCommand(env), newPathCommand(env),
		newInspectCommand(env), newThreadsCommand(env), newExportCommand(env), newDiffCommand(env), newRecordsCommand(env),
		newVersionCommand())
	return root
}

// oneDump accepts exactly the path of a dump.
func oneDump(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("which dump? Give the path of an HPROF file")
	case misspelt(cmd, args) != "":
		return usagef("%q is no file and no command: did you mean %s?", args[0], misspelt(cmd, args))
	case len(args) > 1:
		return usagef("one dump at a time, not %d: %q is too much", len(args), args[1])
	case args[0] == "":
		return usagef("the path of the dump is empty")
	}
	return nil
}

// misspelt is the command that was meant where the first of several words is nearly one, and no
// file; empty otherwise.
func misspelt(cmd *cobra.Command, args []string) string {
	if cmd.HasParent() || len(args) < 2 {
		return ""
	}
	if _, err := os.Lstat(args[0]); err == nil {
		return ""
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return near[0]
	}
	return ""
}

// noArguments accepts nothing.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

// completeDump completes the names of dumps.
func completeDump(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"hprof", "gz", "bin"}, cobra.ShellCompDirectiveFilterFileExt
}
