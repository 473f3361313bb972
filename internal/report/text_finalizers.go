package report

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// state is one state of a Finalizer with its count.
type state struct {
	name  string
	short string
	count int64
}

// states lists a census in the order of a Finalizer's life.
func states(s finding.States) []state {
	return []state{
		{"registered, held", "HELD", s.RegisteredHeld},
		{"registered, dead", "DEAD", s.RegisteredDead},
		{"pending", "PENDING", s.Pending},
		{"enqueued", "ENQUEUED", s.Enqueued},
		{"in processing", "RUNNING", s.InProcessing},
		{"done", "DONE", s.Done},
	}
}

// Widths of the census by state, in columns.
const (
	// stateWidth is that of a row without its bar.
	stateWidth  = 41
	maxBarWidth = 24
)

// Bounds of what the text form shows of the holders; the JSON form has more.
const (
	holderClasses = 3
	holderPaths   = 2
)

// finalizers writes the census: by state, then by class of the referents.
func (p *printer) finalizers(r *Report) {
	f := r.Finalizers
	if f == nil {
		return
	}
	if f.Total == 0 && !f.Disabled {
		p.heading("FINALIZERS", "none")
		return
	}
	p.heading("FINALIZERS", unit.Plural(f.Total, "java.lang.ref.Finalizer", "instances of java.lang.ref.Finalizer"))
	all := states(f.States)
	if f.RegisteredUnknown > 0 {
		all = append(all, state{name: "registered, ?", count: f.RegisteredUnknown})
	}
	barWidth := min(p.room(stateWidth), maxBarWidth)
	for _, s := range all {
		row := "  " + text.Pad(s.name, 17, ' ') + text.AlignRight.Apply(unit.Count(s.count), 11)
		if s.count > 0 {
			row += "  " + text.AlignRight.Apply(unit.Share(s.count, f.Total), 7) + "  " + bar(s.count, f.Total, barWidth)
		}
		p.line(row)
	}
	if f.QueueLength != nil {
		p.line("  " + text.Pad("queue length", 17, ' ') + text.AlignRight.Apply(unit.Count(*f.QueueLength), 11))
	}
	for _, note := range f.Notes {
		p.paragraph(2, note)
	}
	p.referents(f.Classes, r.Limits.FinalizerOmitted)
	p.holders(r)
}

// referents writes the census by class; omitted is how many classes the report
// itself leaves out. States that no class is in have no column.
func (p *printer) referents(classes []finding.FinalizerClass, omitted int64) {
	if len(classes) == 0 {
		return
	}
	shown := classes[:min(len(classes), textRows)]
	columns := []column{{title: "REFERENTS", flexible: true}, {title: "TOTAL", number: true}}
	for _, s := range states(finding.States{}) {
		columns = append(columns, column{title: s.short, number: true})
	}
	columns = append(columns, column{title: "SHALLOW", number: true, optional: 1}, column{title: "RETAINED", number: true})
	rows := make([][]string, len(shown))
	for i, c := range shown {
		rows[i] = []string{c.Class, unit.Count(c.Total)}
		for _, s := range states(c.States) {
			rows[i] = append(rows[i], countOrNothing(s.count))
		}
		rows[i] = append(rows[i], unit.Bytes(c.ShallowBytes), known(c.RetainedBytes, unit.Bytes))
	}
	p.line()
	p.table(2, columns, rows)
	p.more(int64(len(classes)-len(shown))+omitted, "class", "classes")
}

// holders writes who holds the referents of the classes that count most, but for
// the paths that a finding has shown.
func (p *printer) holders(r *Report) {
	shown := func(path finding.Path) bool {
		return slices.ContainsFunc(r.Findings, func(f finding.Finding) bool {
			return f.Evidence.Path != nil && slices.Equal(f.Evidence.Path.Steps, path.Steps)
		})
	}
	classes := r.Finalizers.Classes
	for _, c := range classes[:min(len(classes), holderClasses)] {
		if len(c.Paths) == 0 || shown(c.Paths[0]) {
			continue
		}
		p.line()
		p.line("  ", shortClass(c.Class, p.room(len("   is held by"))), " is held by")
		for _, path := range c.Paths[:min(len(c.Paths), holderPaths)] {
			p.path(path)
		}
	}
}

// bar draws part of whole in width cells; what is not nothing shows at least one.
func bar(part, whole int64, width int) string {
	if whole <= 0 || part <= 0 {
		return ""
	}
	cells := int(float64(part) / float64(whole) * float64(width))
	return strings.Repeat("█", min(max(cells, 1), width))
}
