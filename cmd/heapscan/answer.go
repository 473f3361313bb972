package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// answerOptions are the flags of the commands that answer one question about a dump.
type answerOptions struct {
	commonOptions
	limit int
}

// addFlags declares the flags; of says what limit bounds.
func (o *answerOptions) addFlags(cmd *cobra.Command, limit int, of string) {
	o.commonOptions.addFlags(cmd.Flags(), formatText, formatJSON)
	cmd.Flags().IntVarP(&o.limit, "limit", "n", limit, of)
	completeFormat(cmd, formatText, formatJSON)
}

// check finds faults before the dump is read.
func (o *answerOptions) check(dump string) error {
	if o.limit < 1 {
		return usagef("--limit %d: must be 1 or more", o.limit)
	}
	return checkOutput(o.output, dump)
}

// answered has a question answered and writes the answer.
func answered[A report.Answer](
	ctx context.Context, env environment, dump string, o answerOptions, options scan.Options,
	ask func(ctx context.Context, path string, o scan.Options) (A, error),
	text func(w io.Writer, a A, o report.TextOptions) error,
) error {
	if err := o.check(dump); err != nil {
		return err
	}
	answer, err := scanDump(ctx, env, dump, o.commonOptions, options, ask)
	if err != nil {
		return err
	}
	err = writeOutput(env, o.output, func(w io.Writer) error {
		if o.format == formatJSON {
			return report.AnswerJSON(w, answer)
		}
		return text(w, answer, textOptions(env, o.output))
	})
	if err != nil {
		return err
	}
	return sayWarnings(env, answer)
}

// dumpAndObject accepts the path of a dump and the address of an object.
func dumpAndObject(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return usagef("which object? Give its address, such as 0x7fe01a38")
	}
	if len(args) > 2 {
		return usagef("one object at a time: %q is too much", args[2])
	}
	if err := oneDump(cmd, args[:min(len(args), 1)]); err != nil {
		return err
	}
	_, err := parseObject(args[1])
	return err
}

// noAddressError is what was given for an object and is no address.
type noAddressError string

func (e noAddressError) Error() string {
	return fmt.Sprintf("the object %q is no address such as 0x7fe01a38 or 2145393208", string(e))
}

// Hint says where addresses are.
func (e noAddressError) Hint() string {
	return "reports, heapscan dominators and heapscan export tell the addresses of objects, the last one with their classes"
}

// parseObject reads an address: hexadecimal after 0x, else decimal.
func parseObject(s string) (scan.Address, error) {
	digits, base := s, 10
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		digits, base = rest, 16
	}
	at, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return scan.Address{}, usagef("the object %q is no address: it is longer than 64 bits", s)
	case err != nil:
		return scan.Address{}, usageError{noAddressError(s)}
	}
	address := scan.Address{At: at}
	if hex, err := strconv.ParseUint(digits, 16, 64); err == nil && base == 10 {
		address.AsHex = hex
	}
	return address, nil
}
