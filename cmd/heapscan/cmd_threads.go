package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// threadRows is how many threads are shown unless -n says otherwise.
const threadRows = 1000

// newThreadsCommand builds "heapscan threads".
func newThreadsCommand(env environment) *cobra.Command {
	var o answerOptions
	var e edges
	var retained bool
	cmd := &cobra.Command{
		Use:   "threads DUMP",
		Short: "Show the threads: state, stack, and the objects each call holds",
		Long: `threads shows every thread of the dump: name, state, stack with line numbers, and the
objects that the variables of each call refer to. Virtual threads are shown as far as
the JVM wrote them: JDK 25 writes all with a stack, JDK 21 those on a carrier thread,
as part of its stack.

With --retained it also says what each object and each thread retains, which takes an
analysis of the whole heap, and lists the thread that retains most first.

The JSON form is described in docs/answers-schema.md.` + exitStatus,
		Example: `  heapscan threads heap.hprof
  heapscan threads --retained -n 10 heap.hprof`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			ask := func(ctx context.Context, path string, options scan.Options) (*report.Threads, error) {
				return scan.Threads(ctx, path, options, scan.ThreadsOptions{Limit: o.limit, Retained: retained})
			}
			return answered(cmd.Context(), env, args[0], o, scan.Options{Edges: e.rules()}, ask, report.ThreadsText)
		},
	}
	o.addFlags(cmd, threadRows, "show `N` threads")
	e.addFlag(cmd)
	cmd.Flags().BoolVar(&retained, "retained", false, "analyse the whole heap: what threads and their objects retain")
	return cmd
}
