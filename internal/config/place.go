package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// misplaced is a value that cannot be read, with its place in the file. The YAML
// library knows the place of its own errors alone.
type misplaced struct {
	line, column int
	err          error
}

// Error is the fault after the place, as the library writes it.
func (m *misplaced) Error() string { return fmt.Sprintf("[%d:%d] %s", m.line, m.column, m.err) }

// Unwrap is the fault.
func (m *misplaced) Unwrap() error { return m.err }

// scalar reads the text of a node into a value.
func scalar(node ast.Node, into interface{ UnmarshalText([]byte) error }) error {
	token := node.GetToken()
	if err := into.UnmarshalText([]byte(token.Value)); err != nil {
		return &misplaced{token.Position.Line, token.Position.Column, err}
	}
	return nil
}

// UnmarshalYAML is UnmarshalText with the place in errors.
func (d *Duration) UnmarshalYAML(node ast.Node) error { return scalar(node, d) }

// UnmarshalYAML is UnmarshalText with the place in errors.
func (c *Count) UnmarshalYAML(node ast.Node) error { return scalar(node, c) }

// UnmarshalYAML is UnmarshalText with the place in errors.
func (b *Bytes) UnmarshalYAML(node ast.Node) error { return scalar(node, b) }
