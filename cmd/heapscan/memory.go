package main

import (
	"errors"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// size is a flag that takes bytes, 0 if it is not given.
type size int64

// String is the size for people.
func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return unit.Bytes(int64(*s))
}

// Type names the kind of value in help texts.
func (s *size) Type() string { return "SIZE" }

// Set takes over a size given by the user.
func (s *size) Set(text string) error {
	n, err := unit.ParseBytes(text)
	if err != nil {
		return err
	}
	if n <= 0 {
		return errors.New("must be more than nothing")
	}
	*s = size(n)
	return nil
}

// sayPlan tells what a part of the scan will take, where that was asked for or it has
// to go to the disk.
func sayPlan(env environment, o commonOptions, p scan.Plan) {
	if o.verbose || p.FileBytes > 0 || p.Asked && p.LaterBytes > 0 {
		say(env.stderr, "plan", planText(p))
	}
}

// planText renders a plan.
func planText(p scan.Plan) string {
	var text strings.Builder
	text.WriteString(p.Phase + ": ")
	if p.Nodes > 0 {
		text.WriteString(unit.Plural(p.Nodes, "object", "objects"))
		if p.References > 0 {
			text.WriteString(", " + unit.Plural(p.References, "reference", "references"))
		}
		text.WriteString("; ")
	}
	text.WriteString(unit.Bytes(p.PeakBytes) + " of memory")
	if p.LaterBytes > p.PeakBytes {
		text.WriteString(", up to " + unit.Bytes(p.LaterBytes) + " later")
	}
	if p.LimitBytes > 0 {
		text.WriteString("; the limit is " + unit.Bytes(p.LimitBytes))
		if !p.Asked {
			text.WriteString(", what is free here")
		}
	}
	if p.FileBytes > 0 {
		text.WriteString(": in temporary files of " + unit.Bytes(p.FileBytes) + ", which takes longer")
	}
	return text.String()
}
