package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// edges is the value of --edges: by whose rules objects hold each other.
type edges string

// The rules.
const (
	edgesStrong edges = "strong"
	edgesMAT    edges = "mat"
)

// addFlag declares --edges.
func (e *edges) addFlag(cmd *cobra.Command) {
	*e = edgesStrong
	cmd.Flags().Var(e, "edges", "which references hold an object: strong (as the JVM's collectors see it) or mat (as Eclipse MAT counts)")
	mustComplete(cmd, "edges", string(edgesStrong), string(edgesMAT))
}

// rules are the rules of that name.
func (e *edges) rules() heap.Edges {
	if *e == edgesMAT {
		return heap.EdgesMAT
	}
	return heap.EdgesStrong
}

// String is the name of the rules.
func (e *edges) String() string { return string(*e) }

// Type names the kind of value in help texts.
func (e *edges) Type() string { return "RULES" }

// Set takes over a name given by the user.
func (e *edges) Set(s string) error {
	switch edges(s) {
	case edgesStrong, edgesMAT:
		*e = edges(s)
		return nil
	}
	return errors.New("must be strong or mat")
}
