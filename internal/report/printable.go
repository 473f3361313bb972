package report

import "github.com/apm-sidecar/apm-sidecar/internal/unit"

// Printable makes a string of a dump safe to show on a terminal, as unit.Printable
// does; what is longer than 1,024 characters is cut.
func Printable(s string) string { return unit.Printable(shorten(s, maxStringRunes)) }
