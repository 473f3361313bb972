// Package early keeps out of the log what VictoriaMetrics' metrics package says before main on
// systems without pressure stall information, which concerns nobody here: each command would begin
// with that line. Import it for its effect.
//
// Packages are initialized in the order of their paths as soon as what they import is (Go
// specification, "Program initialization"). This one imports log and less, metrics net/http,
// which imports log itself: so this one is always the first.
package early

import (
	"bytes"
	"io"
	"log" //nolint:depguard // it is theirs that is filtered
	"os"
)

// filter hands on all lines but that one.
type filter struct{ out io.Writer }

var _ = filterLog()

func filterLog() bool {
	log.SetOutput(filter{os.Stderr})
	return true
}

// Write implements io.Writer: log writes a line at a time.
func (f filter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("INFO: metrics: disable exposing PSI metrics")) {
		return len(line), nil
	}
	return f.out.Write(line)
}
