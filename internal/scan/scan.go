// Package scan turns a heap dump file into a report. It is the one call of both
// programs: heapscan in the foreground, apm-sidecar in a child process.
package scan

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// Options steer a scan. The zero value is a full scan without progress.
type Options struct {
	// Progress is called from one goroutine at a time, at most some ten times a
	// second. done and total count bytes of work over all phases; phase is a
	// short name such as "reading objects". Nil means nobody watches.
	Progress func(phase string, done, total int64)
	// HistogramOnly skips the graph: no reachability, retained sizes or findings.
	HistogramOnly bool
}

// File reads the dump at path and analyses it. A damaged dump gives a report
// with warnings and Dump.Truncated set, not an error. Errors wrap
// hprof.ErrNotHprof for foreign input and *fs.PathError for unreadable input;
// a cancelled ctx returns its error.
func File(ctx context.Context, path string, o Options) (*report.Report, error) {
	panic("under construction")
}
