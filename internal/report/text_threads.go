package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// ThreadsText writes the threads for a reader, as a thread dump with locals.
func ThreadsText(w io.Writer, a *Threads, o TextOptions) error {
	p := newPrinter(o)
	a = rewritten(a, Printable)
	p.head(&a.Head)
	p.heading("THREADS", unit.Count(int64(len(a.Threads))+a.Limits.ThreadsOmitted))
	for _, t := range a.Threads {
		p.line()
		p.thread(t)
	}
	p.more(a.Limits.ThreadsOmitted, "thread", "threads")
	p.warnings(a.Warnings)
	return p.flush(w)
}

// thread writes one thread.
func (p *printer) thread(t Thread) {
	parts := []string{p.paint(sgrBold, `"`+t.Name+`"`)}
	add := func(part string) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	add(strings.ToLower(strings.ReplaceAll(t.State, "_", " ")))
	if t.Virtual {
		add("virtual")
	} else if t.Daemon {
		add("daemon")
	}
	if t.Priority > 0 {
		add("priority " + strconv.FormatInt(t.Priority, 10))
	}
	if t.ID > 0 {
		add("id " + strconv.FormatInt(t.ID, 10))
	}
	if t.RetainedBytes != nil {
		add("retains " + unit.Bytes(*t.RetainedBytes))
	}
	if t.Object != "" {
		add(t.Class + " @ " + t.Object)
	}
	p.prose("    ", "  ", strings.Join(parts, " · "))
	for _, f := range t.Frames {
		p.line("    at ", shortClass(f.Call, p.room(len("    at "))))
		p.locals(f.Locals, f.LocalsOmitted)
	}
	if t.FramesOmitted > 0 {
		p.line(p.paint(sgrDim, "    … and "+unit.Plural(t.FramesOmitted, "more call", "more calls")))
	}
	if len(t.Locals) > 0 {
		p.line("    ", "also on its stack:")
		p.locals(t.Locals, t.LocalsOmitted)
	}
}

// locals writes what a call holds.
func (p *printer) locals(locals []Local, omitted int64) {
	for _, l := range locals {
		tail := " @ " + l.Object
		if l.RetainedBytes != nil {
			tail += ", retains " + unit.Bytes(*l.RetainedBytes)
		}
		if l.Root != "java frame" {
			tail += ", " + l.Root
		}
		p.step("      - ", l.name(), tail)
	}
	if omitted > 0 {
		p.line(p.paint(sgrDim, "      … and "+unit.Plural(omitted, "more local", "more locals")))
	}
}
