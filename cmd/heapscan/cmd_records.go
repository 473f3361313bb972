package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// recordsOptions are the flags of "heapscan records".
type recordsOptions struct {
	outputOptions
	subRecords bool
	from       int64
	limit      int
}

// newRecordsCommand builds "heapscan records".
func newRecordsCommand(env environment) *cobra.Command {
	var o recordsOptions
	cmd := &cobra.Command{
		Use:   "records DUMP",
		Short: "List the records of a dump with their fields, for broken files",
		Long: `records writes a line for each record of the file: its offset in the uncompressed
dump, its name, the length of its body in bytes, and its fields. Names are resolved
where the dump has them. With --sub-records there is a line for each root, class and
object in the heap records too; of long bodies the first bytes are shown, and the
length counts the whole sub-record.

What makes no sense has a line of its own, DAMAGE, with the bytes found there, what
was expected and the offset at which reading goes on: behind damage the next record
that makes sense is looked for, as all commands do. The dump is read as a stream, so
this works on files of any size.

With --format json each line is a JSON object: "offset"; "record", "sub_record" or
"damage" with the name; "length"; and the fields, ids as hexadecimal strings.` + exitStatus,
		Example: `  heapscan records -n 20 heap.hprof
  heapscan records --sub-records --from 73400320 -n 100 heap.hprof.gz
  heapscan records -f json --sub-records heap.hprof | grep '"damage"'`,
		Args:              oneDump,
		ValidArgsFunction: completeDump,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRecords(cmd.Context(), env, args[0], o)
		},
	}
	o.addFlags(cmd.Flags(), formatText, formatJSON)
	cmd.Flags().BoolVar(&o.subRecords, "sub-records", false, "list what is inside the heap records as well")
	cmd.Flags().Int64Var(&o.from, "from", 0, "leave out what begins before this `OFFSET`")
	cmd.Flags().IntVarP(&o.limit, "limit", "n", 0, "end after `N` lines, 0 is no limit")
	completeFormat(cmd, formatText, formatJSON)
	return cmd
}

// runRecords writes the records.
func runRecords(ctx context.Context, env environment, dump string, o recordsOptions) error {
	if o.limit < 0 || o.from < 0 {
		return usagef("--limit and --from must not be negative")
	}
	if err := checkOutput(o.output, dump); err != nil {
		return err
	}
	mode := progressMode(env, o.outputOptions)
	if o.output == "-" && term.IsTerminal(env.stdout) {
		mode = term.Silent // the lines themselves show that it goes on
	}
	progress := term.StartProgress(env.stderr, mode, env.asked)
	var damaged int
	err := writeOutput(env, o.output, func(w io.Writer) (err error) {
		sink := &errorKeeper{w: w}
		damaged, err = scan.WriteRecords(ctx, dump, sink, scan.RecordOptions{
			JSON: o.format == formatJSON, SubRecords: o.subRecords, From: o.from, Limit: o.limit, Progress: progress.Update,
		})
		if err != nil && sink.err == nil {
			return inputError{dump, err} // a full disk is no fault of the dump
		}
		return err
	})
	progress.Stop()
	switch {
	case err != nil:
		return err
	case damaged > 0:
		say(env.stderr, "warning", unit.Plural(int64(damaged), "damaged place", "damaged places"))
		return errPartial
	}
	return nil
}

// errorKeeper remembers what went wrong with writing.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	if err != nil {
		k.err = err
	}
	return n, err
}
