// Package term is what the command lines know of terminals: whether there is
// one, how wide it is, whether colour is wanted, and how progress shows.
package term

import (
	"os"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8/cwriter"
)

// IsTerminal tells whether f is a terminal.
func IsTerminal(f *os.File) bool {
	return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())
}

// Width is the width of the terminal f in columns, 0 where f is none or does
// not tell.
func Width(f *os.File) int {
	if !IsTerminal(f) {
		return 0
	}
	width, _, err := cwriter.GetSize(int(f.Fd()))
	if err != nil || width < 0 {
		return 0
	}
	return width
}

// Color tells whether output to f should have colour: f is a terminal that
// understands it, and NO_COLOR (no-color.org) is unset or empty. getenv is
// os.Getenv outside of tests.
func Color(f *os.File, getenv func(string) string) bool {
	return IsTerminal(f) && colorAllowed(getenv)
}

// colorAllowed is the environment's word on colour.
func colorAllowed(getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}
