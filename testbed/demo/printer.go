package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// verdictWidth is the width of the verdict in columns.
const verdictWidth = 100

// printer writes the demo's steps, each with the time since the start.
// It is safe for use by several goroutines.
type printer struct {
	out   io.Writer
	color bool
	begun time.Time

	mu sync.Mutex
}

// newPrinter starts the clock.
func newPrinter(out *os.File) *printer {
	return &printer{
		out:   out,
		color: isatty.IsTerminal(out.Fd()) && os.Getenv("NO_COLOR") == "",
		begun: time.Now(),
	}
}

// step prints a line with the time.
func (p *printer) step(format string, args ...any) {
	p.line(fmt.Sprintf("%6.1f s", time.Since(p.begun).Seconds()), format, args)
}

// more prints a line that goes on with the step before.
func (p *printer) more(format string, args ...any) { p.line("", format, args) }

func (p *printer) line(head, format string, args []any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, "%8s  %s\n", head, fmt.Sprintf(format, args...)) // nobody to tell
}

// verdict prints the first screen of the report.
func (p *printer) verdict(r *report.Report) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return report.Verdict(p.out, r, report.TextOptions{Width: verdictWidth, Color: p.color})
}
