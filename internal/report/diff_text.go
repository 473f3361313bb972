package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// DiffJSON writes the diff as JSON does a report.
func DiffJSON(w io.Writer, d *Diff) error { return writeJSON(w, d) }

// DiffText writes the diff for a reader: what is wrong first, then what grew.
func DiffText(w io.Writer, d *Diff, o TextOptions) error {
	p := newPrinter(o)
	d = rewritten(d, Printable)
	p.compared("before:", d.Before, "")
	p.compared("after:", d.After, between(d.Before, d.After))
	if d.Partial() {
		p.prose("  ", "", p.paint(sgrYellow, "[PARTIAL]")+" a dump is damaged or ends too early: its counts and bytes are lower bounds.")
	}
	p.findingsDiff(d.Findings)
	p.heapDiff(d.Heap)
	p.finalizerDiff(d.Finalizers)
	p.classesDiff(d)
	p.warnings(d.Warnings)
	return p.flush(w)
}

// compared writes one of the two dumps.
func (p *printer) compared(which string, d Dump, later string) {
	parts := []string{which + " " + p.paint(sgrBold, d.Path), unit.Bytes(d.Bytes)}
	if d.Created != "" {
		parts = append(parts, "written "+d.Created+later)
	}
	p.prose("  ", "", strings.Join(parts, " · "))
}

// between says how much later the second dump was written, nothing where it was not.
func between(before, after Dump) string {
	b, err := time.Parse(time.RFC3339, before.Created)
	if err != nil {
		return ""
	}
	a, err := time.Parse(time.RFC3339, after.Created)
	if err != nil || !a.After(b) {
		return ""
	}
	return ", " + unit.Duration(a.Sub(b)) + " later"
}

// findingsDiff writes what became of the findings.
func (p *printer) findingsDiff(d *FindingsDiff) {
	if d == nil {
		return
	}
	p.heading("FINDINGS", "")
	if len(d.Appeared)+len(d.Stayed)+len(d.Went) == 0 {
		p.line("  none, before and after")
	}
	one := func(became string, f finding.Finding, more string) {
		marker := p.paint(p.severity(f.Severity), "["+strings.ToUpper(string(f.Severity))+"]")
		p.prose("    ", "  ", became+" "+marker+" "+p.paint(sgrBold, f.Title)+more)
	}
	for _, f := range d.Appeared {
		one("appeared", f, "")
	}
	for _, f := range d.Stayed {
		one("stayed", f.Finding, fmt.Sprintf(" (%s objects, %s)", signed(f.Objects, unit.Count), signed(f.Bytes, unit.Bytes)))
	}
	for _, f := range d.Went {
		one("went", f, "")
	}
}

// changeTable writes named changes, leaving out those of which nothing is known.
type changeTable struct {
	rows [][]string
}

func (t *changeTable) add(name string, c Change, render func(int64) string) {
	if c != (Change{}) {
		t.rows = append(t.rows, []string{name, known(c.Before, render), known(c.After, render), signed(c, render)})
	}
}

func (p *printer) changes(t changeTable) {
	p.table(2, []column{{title: ""}, {title: "BEFORE", number: true}, {title: "AFTER", number: true}, {title: "GROWTH", number: true}}, t.rows)
}

// heapDiff writes the totals.
func (p *printer) heapDiff(h HeapDiff) {
	p.heading("HEAP", "")
	var t changeTable
	t.add("objects", h.Objects, unit.Count)
	t.add("shallow", h.ShallowBytes, unit.Bytes)
	t.add("reachable objects", h.ReachableObjects, unit.Count)
	t.add("reachable", h.ReachableBytes, unit.Bytes)
	t.add("classes", h.Classes, unit.Count)
	t.add("class loaders", h.Loaders, unit.Count)
	t.add("GC roots", h.GCRoots, unit.Count)
	p.changes(t)
}

// finalizerDiff writes the census.
func (p *printer) finalizerDiff(f *FinalizerDiff) {
	if f == nil {
		return
	}
	p.heading("FINALIZERS", "")
	var t changeTable
	t.add("registered, held", f.States.RegisteredHeld, unit.Count)
	t.add("registered, dead", f.States.RegisteredDead, unit.Count)
	t.add("pending", f.States.Pending, unit.Count)
	t.add("enqueued", f.States.Enqueued, unit.Count)
	t.add("in processing", f.States.InProcessing, unit.Count)
	t.add("done", f.States.Done, unit.Count)
	t.add("all", f.Total, unit.Count)
	p.changes(t)
}

// classesDiff writes the classes.
func (p *printer) classesDiff(d *Diff) {
	p.heading("CLASSES", "by growth of their instances' own size")
	if len(d.Classes) == 0 {
		p.line("  no class has changed")
		return
	}
	ambiguous := map[string]int{}
	for _, c := range d.Classes {
		ambiguous[c.Class]++
	}
	rows := make([][]string, len(d.Classes))
	for i, c := range d.Classes {
		loader := ""
		if ambiguous[c.Class] > 1 {
			loader = c.Loader
		}
		became := ""
		if c.Change != ClassGrew && c.Change != ClassShrank {
			became = string(c.Change)
		}
		rows[i] = []string{c.Class, loader, became,
			known(c.Instances.After, unit.Count), signed(c.Instances, unit.Count),
			known(c.ShallowBytes.After, unit.Bytes), signed(c.ShallowBytes, unit.Bytes),
			known(c.RetainedBytes.After, unit.Bytes), signed(c.RetainedBytes, unit.Bytes)}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "LOADER", optional: 1}, {title: ""},
		{title: "INSTANCES", number: true, optional: 1}, {title: "GROWTH", number: true},
		{title: "SHALLOW", number: true}, {title: "GROWTH", number: true},
		{title: "RETAINED", number: true, optional: 1}, {title: "GROWTH", number: true}}, rows)
	p.more(d.Limits.ClassesOmitted, "class that changed", "classes that changed")
}

// signed renders by how much a number grew or shrank, "?" where that is not known.
func signed(c Change, render func(int64) string) string {
	switch {
	case c == Change{}:
		return ""
	case c.Delta == nil:
		return "?"
	case *c.Delta > 0:
		return "+" + render(*c.Delta)
	default:
		return render(*c.Delta)
	}
}
