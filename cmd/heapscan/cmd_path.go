package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// pathSteps is how many steps are shown unless -n says otherwise.
const pathSteps = 100

// newPathCommand builds "heapscan path".
func newPathCommand(env environment) *cobra.Command {
	var o answerOptions
	var e edges
	cmd := &cobra.Command{
		Use:   "path DUMP OBJECT",
		Short: "Say what keeps an object alive: a shortest path from a GC root",
		Long: `path shows a way from a GC root to an object: class, address and field of each step.
Of all ways it takes the strongest, and of these a shortest one. References that a
collection clears do not keep an object alive: they are named, and a way leads through
them only where there is no other. Of an object that no root reaches it says so, and
what refers to it.

OBJECT is an address, such as 0x7fe01a38. Locals of stack frames come last: they are
named as the root of what nothing else holds.

The JSON form is described in docs/answers-schema.md.` + exitStatus,
		Example:           `  heapscan path heap.hprof 0x7fe01a38`,
		Args:              dumpAndObject,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := parseObject(args[1])
			if err != nil {
				return err
			}
			ask := func(ctx context.Context, path string, options scan.Options) (*report.ObjectPath, error) {
				return scan.Path(ctx, path, options, scan.PathOptions{Object: address, Limit: o.limit})
			}
			return answered(cmd.Context(), env, args[0], o, scan.Options{Edges: e.rules()}, ask, report.PathText)
		},
	}
	o.addFlags(cmd, pathSteps, "show `N` steps of a long path: the first and the last ones")
	e.addFlag(cmd)
	return cmd
}
