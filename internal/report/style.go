package report

import "github.com/apm-sidecar/apm-sidecar/internal/finding"

// palette is the set of terminal codes in use; the zero value writes none.
// Colour only repeats what the text says.
type palette struct{ on bool }

// The "select graphic rendition" codes in use (ECMA-48, 8.3.117).
const (
	sgrBold      = "1"
	sgrDim       = "2"
	sgrRedBold   = "1;31"
	sgrYellow    = "1;33"
	sgrCyan      = "36"
	sgrGreenBold = "1;32"
)

// paint wraps s in a code and its end.
func (p palette) paint(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// severity is the code that goes with a severity.
func (p palette) severity(s finding.Severity) string {
	switch s {
	case finding.SeverityCritical:
		return sgrRedBold
	case finding.SeverityWarning:
		return sgrYellow
	default:
		return sgrCyan
	}
}
