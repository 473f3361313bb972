package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// maxTreeIndent is where the tree of a path stops moving right.
const maxTreeIndent = 24

// verdict writes the first screen.
func (p *printer) verdict(r *Report) {
	p.source(r)
	p.line()
	if main := slices.IndexFunc(r.Findings, isAlarm); main >= 0 {
		p.finding(r, r.Findings[main])
		return
	}
	text, healthy := calm(r)
	code := sgrYellow
	if healthy {
		code = sgrGreenBold
	}
	first, rest, _ := strings.Cut(text, ". ")
	p.paragraph(0, p.paint(code, first+".")+" "+rest)
}

// calm is the verdict of a report without an alarm, and whether that is because all is
// well. It is empty where there is an alarm.
func calm(r *Report) (text string, healthy bool) {
	switch {
	case slices.ContainsFunc(r.Findings, isAlarm):
		return "", false
	case r.Findings == nil:
		return "No verdict. Only objects and bytes were counted, nothing was judged.", false
	case r.Partial() && r.Heap.Objects == 0:
		return "The file ends before its heap begins. Not one object could be read: have the dump written again.", false
	case r.Partial():
		return "No problem found in the part that could be read. The dump is damaged: the rest may hold one.", false
	}
	if n := int64(len(r.Findings)); n > 0 {
		return fmt.Sprintf("No alarm, %s: one dump alone does not prove a problem. %s", unit.Plural(n, "remark", "remarks"), lookedAt(r)), true
	}
	return "No problem found. " + lookedAt(r), true
}

// isAlarm tells a finding that asks for action from one that only informs.
func isAlarm(f finding.Finding) bool {
	return f.Severity == finding.SeverityCritical || f.Severity == finding.SeverityWarning
}

// source writes what was read, and that it was not all when so.
func (p *printer) source(r *Report) {
	p.prose("  ", "", strings.Join(append([]string{p.paint(sgrBold, r.Dump.Path)}, sourceFacts(r)...), " · "))
	if r.Partial() {
		p.prose("  ", "", p.paint(sgrYellow, "[PARTIAL]")+" "+partialText+where(r.Warnings))
	}
}

// partialText says what a damaged dump means.
const partialText = "the dump is damaged or ends too early: counts and bytes are lower bounds."

// sourceFacts describe the file, but for its name.
func sourceFacts(r *Report) []string {
	d := r.Dump
	facts := []string{fmt.Sprintf("%s, HPROF %s, %d-byte ids", unit.Bytes(d.Bytes), d.Format, d.IDSize)}
	if d.Compression != "" && d.Compression != "none" {
		facts[0] += ", " + d.Compression
	}
	if d.Created != "" {
		facts = append(facts, "written "+d.Created)
	}
	return facts
}

// where is a sentence on the first place at which the dump could not be read.
func where(warnings []Warning) string {
	for _, w := range warnings {
		if w.Offset != nil {
			return " First fault at offset " + strconv.FormatInt(*w.Offset, 10) + "."
		}
	}
	return ""
}

// lookedAt is a sentence on what a verdict of "no problem" covers.
func lookedAt(r *Report) string {
	looked := []string{unit.Plural(r.Heap.Objects, "object", "objects")}
	if r.Finalizers != nil {
		looked = append(looked, unit.Plural(r.Finalizers.Total, "Finalizer", "Finalizers"))
	}
	if len(r.Schedulers) > 0 {
		n := int64(len(r.Schedulers)) + r.Limits.SchedulersOmitted
		looked = append(looked, unit.Plural(n, "timer or scheduler", "timers and schedulers"))
	}
	return "Looked at " + strings.Join(looked, ", ") + "."
}

// finding writes one verdict in full.
func (p *printer) finding(r *Report, f finding.Finding) {
	p.title(f)
	p.paragraph(2, p.paint(sgrDim, fmt.Sprintf("%s · confidence %s · %s", f.Kind, f.Confidence, cost(r, f))))
	p.line()
	p.paragraph(2, f.Summary)
	p.label("What to do", f.Advice)
	if len(f.Evidence.Facts) > 0 {
		p.line()
		p.line("  ", p.paint(sgrBold, "Facts"))
		p.facts(f.Evidence.Facts)
	}
	if f.Evidence.Path != nil {
		p.line()
		p.line("  ", p.paint(sgrBold, "Path from the GC root"))
		p.path(*f.Evidence.Path)
	}
	p.stack("Stack", f.Evidence.Stack)
	if l := f.Evidence.Lock; l != nil && l.Owner != "" {
		p.stack(fmt.Sprintf("Stack of %q, which has the lock", l.Owner), l.OwnerStack)
	}
	p.label("What would refute it", f.Evidence.Refutes)
}

// stack writes a stack under its name, or nothing where there is none.
func (p *printer) stack(name string, frames []string) {
	if len(frames) == 0 {
		return
	}
	p.line()
	p.line("  ", p.paint(sgrBold, name))
	for _, frame := range frames {
		p.line("    at ", shortClass(frame, p.room(len("    at "))))
	}
}

// cost is what a finding costs.
func cost(r *Report, f finding.Finding) string {
	text := unit.Plural(f.Objects, "object", "objects") + ", " + unit.Bytes(f.Bytes)
	if h := r.Heap; h.ReachableBytes != nil && !f.NoShare() {
		inUse := *h.ReachableBytes
		if h.FinalizationBytes != nil {
			inUse += *h.FinalizationBytes
		}
		text += " = " + unit.Share(f.Bytes, inUse) + " of what is in use"
	}
	return text
}

// title writes the severity's marker and the title.
func (p *printer) title(f finding.Finding) {
	marker := p.paint(p.severity(f.Severity), "["+strings.ToUpper(string(f.Severity))+"]")
	p.prose("  ", "", marker+" "+p.paint(sgrBold, f.Title))
}

// label writes a paragraph under its name, or nothing where there is no text.
func (p *printer) label(name, s string) {
	if s == "" {
		return
	}
	p.line()
	p.paragraph(2, p.paint(sgrBold, name+":")+" "+s)
}

// facts writes names and values in two columns.
func (p *printer) facts(facts []finding.Fact) {
	widest := 0
	for _, f := range facts {
		widest = max(widest, text.StringWidth(f.Name))
	}
	widest = min(widest, p.room(0)/2)
	for _, f := range facts {
		p.prose(strings.Repeat(" ", 4+widest+2), "    "+text.Pad(f.Name, widest, ' ')+"  ", f.Value)
	}
}

// room is how many columns are left of indent, a wide line where there is no limit.
func (p *printer) room(indent int) int {
	if p.width == 0 {
		return 1 << 16
	}
	return max(p.width-indent, minFlexible)
}

// path writes a path as a tree: each line is a class, after the field of the
// class above that leads to it.
func (p *printer) path(path finding.Path) {
	root := path.Root
	if path.Thread != "" {
		root += ` "` + path.Thread + `"`
	}
	if path.Frame != "" {
		root += " in " + path.Frame
	}
	p.line("    ", root)
	field := ""
	for i, step := range path.Steps {
		head := strings.Repeat(" ", min(4+2*i, maxTreeIndent)) + "└ "
		if field != "" {
			head += field + " → "
		}
		tail := ""
		if step.Repeat > 1 {
			tail += fmt.Sprintf(" ×%s", unit.Count(int64(step.Repeat)))
		}
		if step.Object != "" {
			tail += " @ " + step.Object
		}
		if i == len(path.Steps)-1 {
			tail += fmt.Sprintf("  (%s, %s shallow)", unit.Plural(path.Objects, "object", "objects"), unit.Bytes(path.Bytes))
		}
		p.step(head, step.Class, tail)
		field = step.Field
	}
}

// step writes one line of a tree. What does not fit goes to a line of its own.
func (p *printer) step(head, class, tail string) {
	room := p.room(text.StringWidth(head))
	if text.StringWidth(class)+text.StringWidth(tail) <= room {
		p.line(head, class, p.paint(sgrDim, tail))
		return
	}
	p.line(head, shortClass(class, room))
	if tail = strings.TrimLeft(tail, " "); tail != "" {
		p.line(strings.Repeat(" ", min(text.StringWidth(head), maxTreeIndent+2)), p.paint(sgrDim, tail))
	}
}

// others are the findings that verdict does not show.
func others(findings []finding.Finding) []finding.Finding {
	rest := slices.Clone(findings)
	if main := slices.IndexFunc(rest, isAlarm); main >= 0 {
		rest = slices.Delete(rest, main, main+1)
	}
	return rest
}

// alsoFound names the findings that verdict does not show, a line each.
func (p *printer) alsoFound(r *Report) {
	rest := others(r.Findings)
	if len(rest) == 0 {
		return
	}
	p.line()
	p.line("Also found:")
	for _, f := range rest {
		p.title(f)
	}
}

// otherFindings writes in full the findings that verdict does not show.
func (p *printer) otherFindings(r *Report) {
	for _, f := range others(r.Findings) {
		p.line()
		p.finding(r, f)
	}
}
