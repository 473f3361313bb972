package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// heap writes the totals and what the dump tells of its JVM.
func (p *printer) heap(r *Report) {
	h := r.Heap
	p.heading("HEAP", "")
	rows := [][]string{{"all objects", unit.Count(h.Objects), unit.Bytes(h.ShallowBytes), ""}}
	add := func(name string, objects, bytes *int64) {
		if objects != nil && bytes != nil {
			rows = append(rows, []string{name, unit.Count(*objects), unit.Bytes(*bytes), unit.Share(*bytes, h.ShallowBytes)})
		}
	}
	add("reachable", h.ReachableObjects, h.ReachableBytes)
	add("unreachable", h.UnreachableObjects, h.UnreachableBytes)
	p.table(2, []column{{title: ""}, {title: "OBJECTS", number: true}, {title: "SHALLOW", number: true}, {title: "SHARE", number: true}}, rows)
	p.paragraph(2, fmt.Sprintf("%s · %s · %s", unit.Plural(h.Classes, "class", "classes"),
		unit.Plural(h.Loaders, "class loader", "class loaders"), unit.Plural(h.GCRoots, "GC root", "GC roots")))
	if h.Layout != "" {
		p.paragraph(2, fmt.Sprintf("sizes as in: %s (confidence %s)", h.Layout, h.LayoutConfidence))
	}
	if r.JVM != nil {
		p.jvm(*r.JVM)
	}
}

// jvm writes the known parts of the JVM's identity.
func (p *printer) jvm(j JVM) {
	var known []string
	for _, part := range []string{j.Version, j.Vendor, j.Collector} {
		if part != "" {
			known = append(known, part)
		}
	}
	if len(known) > 0 {
		p.paragraph(2, "JVM: "+strings.Join(known, ", "))
	}
	if j.Arguments != "" {
		p.paragraph(2, "arguments: "+j.Arguments)
	}
}

// dominators writes the biggest objects directly under the GC roots.
func (p *printer) dominators(r *Report) {
	if len(r.Dominators) == 0 {
		return
	}
	shown := r.Dominators[:min(len(r.Dominators), textRows)]
	p.heading("BIGGEST OBJECTS", "by what would be freed with them")
	rows := make([][]string, len(shown))
	for i, d := range shown {
		rows[i] = []string{d.Class, d.Object, unit.Bytes(d.ShallowBytes), unit.Bytes(d.RetainedBytes), unit.Share(d.RetainedBytes, r.Heap.ShallowBytes)}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "OBJECT"}, {title: "SHALLOW", number: true},
		{title: "RETAINED", number: true}, {title: "OF HEAP", number: true, optional: true}}, rows)
	p.more(int64(len(r.Dominators)-len(shown))+r.Limits.DominatorsOmitted, "object", "objects")
}

// more says how many rows a table leaves out.
func (p *printer) more(n int64, one, many string) {
	if n > 0 {
		p.line(p.paint(sgrDim, "  … and "+unit.Plural(n, "more "+one, "more "+many)))
	}
}

// warnings writes what limits how far the report can be trusted.
func (p *printer) warnings(r *Report) {
	if len(r.Warnings) == 0 {
		return
	}
	p.heading("WARNINGS", "")
	for _, w := range r.Warnings {
		message := p.paint(sgrYellow, w.Code) + ": " + w.Message
		if w.Offset != nil {
			message += " (offset " + unit.Count(*w.Offset) + ")"
		}
		p.prose("    ", "  ", message)
	}
}

// histogram writes the classes that take the most memory, at most limit of them.
func (p *printer) histogram(r *Report, limit int) {
	shown := r.Histogram[:min(len(r.Histogram), limit)]
	p.heading("CLASS HISTOGRAM", "")
	ambiguous := make(map[string]int, len(shown))
	for _, c := range shown {
		ambiguous[c.Class]++
	}
	rows := make([][]string, len(shown))
	for i, c := range shown {
		loader := ""
		if ambiguous[c.Class] > 1 {
			loader = c.Loader
		}
		rows[i] = []string{c.Class, loader, unit.Count(c.Instances), unit.Bytes(c.ShallowBytes), optionalBytes(c.RetainedBytes), unit.Share(c.ShallowBytes, r.Heap.ShallowBytes)}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "LOADER"}, {title: "INSTANCES", number: true},
		{title: "SHALLOW", number: true}, {title: "RETAINED", number: true, optional: true}, {title: "OF HEAP", number: true, optional: true}}, rows)
	p.more(int64(len(r.Histogram)-len(shown))+r.Limits.HistogramOmitted, "class", "classes")
}

// optionalBytes renders a size that may not have been computed.
func optionalBytes(n *int64) string {
	if n == nil {
		return ""
	}
	return unit.Bytes(*n)
}

// due renders an instant and how far it is from the time of the dump.
func due(instant, created string) string {
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return instant
	}
	dumped, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return instant
	}
	switch distance := at.Sub(dumped); {
	case distance >= 0:
		return instant + ", " + unit.Duration(distance) + " after the dump"
	default:
		return instant + ", " + unit.Duration(-distance) + " before the dump"
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

// schedulers writes each timer with its tasks.
func (p *printer) schedulers(r *Report) {
	if len(r.Schedulers) == 0 {
		return
	}
	p.heading("TIMERS AND SCHEDULERS", unit.Count(int64(len(r.Schedulers))+r.Limits.SchedulersOmitted))
	for i, s := range r.Schedulers {
		if i > 0 {
			p.line()
		}
		p.scheduler(s, r.Dump.Created)
	}
	p.more(r.Limits.SchedulersOmitted, "scheduler", "schedulers")
}

// scheduler writes one timer: who runs it, what is in its queue, when it is due.
func (p *printer) scheduler(s finding.Scheduler, created string) {
	name := s.Kind + " @ " + s.Object
	if s.Thread != "" {
		name += fmt.Sprintf(" · thread %q", s.Thread)
	}
	p.prose("    ", "  ", name)
	queue := unit.Plural(s.Size, "task", "tasks") + ", " + unit.Count(s.Cancelled) + " of them cancelled"
	if s.Size > 0 {
		queue += " (" + unit.Share(s.Cancelled, s.Size) + ")"
	}
	facts := []finding.Fact{{Name: "queue", Value: queue}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, finding.Fact{Name: name, Value: value})
		}
	}
	if s.Capacity > 0 {
		add("capacity", unit.Count(s.Capacity))
	}
	if s.Overdue != nil {
		add("overdue", unit.Count(*s.Overdue))
	}
	if s.HeadDue != "" {
		add("head due", due(s.HeadDue, created))
	}
	if s.LastDue != "" {
		add("last due", due(s.LastDue, created))
	}
	add("retains", optionalBytes(s.RetainedBytes))
	p.facts(facts)
	if len(s.Tasks) == 0 {
		return
	}
	rows := make([][]string, len(s.Tasks))
	for i, t := range s.Tasks {
		rows[i] = []string{t.Class, t.State, unit.Count(t.Count)}
	}
	p.table(4, []column{{title: "TASK", flexible: true}, {title: "STATE"}, {title: "COUNT", number: true}}, rows)
}

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

// finalizers writes the census: by state, then by class of the referents.
func (p *printer) finalizers(f *finding.Finalizers) {
	if f == nil {
		return
	}
	p.heading("FINALIZERS", unit.Plural(f.Total, "java.lang.ref.Finalizer", "instances of java.lang.ref.Finalizer"))
	if f.Disabled {
		p.paragraph(2, "The JVM ran with --finalization=disabled.")
	}
	barWidth := min(p.room(stateWidth), maxBarWidth)
	for _, s := range states(f.States) {
		row := "  " + text.Pad(s.name, 17, ' ') + text.AlignRight.Apply(unit.Count(s.count), 11)
		if s.count > 0 {
			row += "  " + text.AlignRight.Apply(unit.Share(s.count, f.Total), 7) + "  " + bar(s.count, f.Total, barWidth)
		}
		p.line(row)
	}
	if f.QueueLength != nil {
		p.line("  " + text.Pad("queue length", 17, ' ') + text.AlignRight.Apply(unit.Count(*f.QueueLength), 11))
	}
	p.referents(f.Classes)
}

// referents writes the census by class. States that no class is in have no column.
func (p *printer) referents(classes []finding.FinalizerClass) {
	if len(classes) == 0 {
		return
	}
	shown := classes[:min(len(classes), textRows)]
	columns := []column{{title: "REFERENTS", flexible: true}, {title: "TOTAL", number: true}}
	for _, s := range states(finding.States{}) {
		columns = append(columns, column{title: s.short, number: true})
	}
	columns = append(columns, column{title: "SHALLOW", number: true, optional: true}, column{title: "RETAINED", number: true})
	rows := make([][]string, len(shown))
	for i, c := range shown {
		rows[i] = []string{c.Class, unit.Count(c.Total)}
		for _, s := range states(c.States) {
			cell := ""
			if s.count > 0 {
				cell = unit.Count(s.count)
			}
			rows[i] = append(rows[i], cell)
		}
		rows[i] = append(rows[i], unit.Bytes(c.ShallowBytes), optionalBytes(c.RetainedBytes))
	}
	p.line()
	p.table(2, columns, rows)
	p.more(int64(len(classes)-len(shown)), "class", "classes")
}
