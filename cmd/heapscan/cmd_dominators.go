package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// dominatorRows is how many objects are listed unless -n says otherwise.
const dominatorRows = 50

// newDominatorsCommand builds "heapscan dominators".
func newDominatorsCommand(env environment) *cobra.Command {
	var o answerOptions
	var e edges
	var of string
	cmd := &cobra.Command{
		Use:   "dominators DUMP",
		Short: "List the biggest objects by what they keep alive",
		Long: `dominators lists the objects that retain most: what would be freed with each of them.
These are the objects directly under the GC roots; --of shows what lies directly under
one of them, and so on down.

The JSON form is described in docs/answers-schema.md.` + exitStatus,
		Example: `  heapscan dominators -n 10 heap.hprof
  heapscan dominators --of 0x7fe01a38 heap.hprof`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := scan.DominatorsOptions{Limit: o.limit}
			if cmd.Flags().Changed("of") {
				address, err := parseObject(of)
				if err != nil {
					return err
				}
				q.Of = &address
			}
			ask := func(ctx context.Context, path string, options scan.Options) (*report.Dominators, error) {
				return scan.Dominators(ctx, path, options, q)
			}
			return answered(cmd.Context(), env, args[0], o, scan.Options{Edges: e.rules()}, ask, report.DominatorsText)
		},
	}
	o.addFlags(cmd, dominatorRows, "show the `N` objects that retain most")
	e.addFlag(cmd)
	cmd.Flags().StringVar(&of, "of", "", "show what lies directly under the object at this `ADDRESS`")
	return cmd
}
