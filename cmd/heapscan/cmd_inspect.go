package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// inspectRows is how many entries of each list are shown unless -n says otherwise.
const inspectRows = 50

// newInspectCommand builds "heapscan inspect".
func newInspectCommand(env environment) *cobra.Command {
	var o answerOptions
	var e edges
	var retained bool
	cmd := &cobra.Command{
		Use:   "inspect DUMP OBJECT",
		Short: "Show one object: its fields or elements, and who refers to it",
		Long: `inspect shows all that a dump tells of one object: class and loader, size, the fields
with their values by declaring class, the elements of an array, the text of a string,
the static fields of a class, the GC roots it is, and who refers to it, through weak
references too. With --retained it also says what the object retains and what
dominates it, which takes an analysis of the whole heap.

OBJECT is an address, such as 0x7fe01a38. A class is inspected by the address of its
class object.

The JSON form is described in docs/answers-schema.md.` + exitStatus,
		Example: `  heapscan inspect heap.hprof 0x7fe01a38
  heapscan inspect --retained -f json heap.hprof 0x7fe01a38`,
		Args:              dumpAndObject,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := parseObject(args[1])
			if err != nil {
				return err
			}
			ask := func(ctx context.Context, path string, options scan.Options) (*report.Inspection, error) {
				return scan.Inspect(ctx, path, options, scan.InspectOptions{Object: address, Limit: o.limit, Retained: retained})
			}
			return answered(cmd.Context(), env, args[0], o, scan.Options{Edges: e.rules()}, ask, report.InspectionText)
		},
	}
	o.addFlags(cmd, inspectRows, "show `N` entries of each list")
	e.addFlag(cmd)
	cmd.Flags().BoolVar(&retained, "retained", false, "analyse the whole heap: what the object retains, and its dominator")
	return cmd
}
