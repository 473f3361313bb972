package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Bounds of what a ticket shows.
const (
	ticketFindings = 10
	ticketClasses  = 10
)

// Markdown writes the report for a ticket, in the Markdown that GitHub and GitLab share
// and Jira's editor takes over on pasting: the verdicts with what they rest on, the
// heap's numbers, the Finalizers by state and the classes that take the most memory.
// Names of the dump stand in code spans and can't become markup.
func Markdown(w io.Writer, r *Report) error {
	r = rewritten(r, Printable)
	var b ticket
	b.line("## Heap dump: ", verdictInWords(r))
	b.line()
	b.line(code(r.Dump.Path), " · ", escape(strings.Join(sourceFacts(r), " · ")))
	if r.Partial() {
		b.line()
		b.line("> **Partial:** ", partialText, escape(where(r.Warnings)))
	}
	if text, _ := calm(r); text != "" {
		b.line()
		b.line(escape(text))
	}
	for _, f := range r.Findings[:min(len(r.Findings), ticketFindings)] {
		b.finding(r, f)
	}
	if n := len(r.Findings) - ticketFindings; n > 0 {
		b.line()
		b.line("… and ", unit.Plural(int64(n), "more finding", "more findings"), ".")
	}
	b.heap(r)
	b.line()
	b.line("_", escape(r.Tool.Name+" "+r.Tool.Version), "_")
	_, err := io.WriteString(w, b.String())
	return err
}

// verdictInWords is the headline of a ticket.
func verdictInWords(r *Report) string {
	alarms := 0
	for _, f := range r.Findings {
		if isAlarm(f) {
			alarms++
		}
	}
	if alarms == 0 {
		return "no problem found"
	}
	return unit.Plural(int64(alarms), "problem", "problems")
}

// ticket collects Markdown.
type ticket struct{ strings.Builder }

// line writes its parts and ends the line.
func (b *ticket) line(parts ...string) {
	for _, part := range parts {
		b.WriteString(part)
	}
	b.WriteByte('\n')
}

// finding writes one verdict.
func (b *ticket) finding(r *Report, f finding.Finding) {
	b.line()
	b.line("### ", strings.ToUpper(string(f.Severity)), ": ", escape(f.Title))
	b.line()
	b.line(code(f.Kind), " · confidence ", escape(string(f.Confidence)), " · ", cost(r, f))
	b.line()
	b.line(escape(f.Summary))
	if f.Advice != "" {
		b.line()
		b.line("**What to do:** ", escape(f.Advice))
	}
	if len(f.Evidence.Facts) > 0 {
		b.line()
		b.line("| fact | value |")
		b.line("|---|---|")
		for _, fact := range f.Evidence.Facts {
			b.line("| ", escape(fact.Name), " | ", escape(fact.Value), " |")
		}
	}
	if path := f.Evidence.Path; path != nil {
		b.line()
		b.line("Path from the GC root ", code(rootName(*path)), ":")
		b.line()
		field := ""
		for i, s := range path.Steps {
			text := code(s.Class)
			if field != "" {
				text = code(field) + " → " + text
			}
			if s.Repeat > 1 {
				text += times(int64(s.Repeat))
			}
			if s.Object != "" {
				text += " @ " + code(s.Object)
			}
			b.line(fmt.Sprintf("%d. ", i+1), text)
			field = s.Field
		}
	}
	b.stack("Stack", f.Evidence.Stack)
	if l := f.Evidence.Lock; l != nil {
		b.stack("Stack of "+code(l.Owner)+", which has the lock", l.OwnerStack)
	}
	if f.Evidence.Refutes != "" {
		b.line()
		b.line("_What would refute it:_ ", escape(f.Evidence.Refutes))
	}
}

// stack writes a stack under its name, or nothing where there is none.
func (b *ticket) stack(name string, frames []string) {
	if len(frames) == 0 {
		return
	}
	b.line()
	b.line(name, ":")
	b.line()
	for _, frame := range frames {
		b.line("    at ", frame)
	}
}

// heap writes the numbers and the tables.
func (b *ticket) heap(r *Report) {
	b.line()
	b.line("### Heap")
	b.line()
	b.line("| | objects | bytes |")
	b.line("|---|---:|---:|")
	b.line("| all | ", unit.Count(r.Heap.Objects), " | ", unit.Bytes(r.Heap.ShallowBytes), " |")
	for _, row := range []struct {
		name           string
		objects, bytes *int64
	}{{"reachable", r.Heap.ReachableObjects, r.Heap.ReachableBytes}, {"unreachable", r.Heap.UnreachableObjects, r.Heap.UnreachableBytes}} {
		if row.objects != nil && row.bytes != nil {
			b.line("| ", row.name, " | ", unit.Count(*row.objects), " | ", unit.Bytes(*row.bytes), " |")
		}
	}
	if f := r.Finalizers; f != nil && f.Total > 0 {
		b.line()
		b.line("| Finalizers | count | share |")
		b.line("|---|---:|---:|")
		for _, s := range states(f.States) {
			if s.count > 0 {
				b.line("| ", s.name, " | ", unit.Count(s.count), " | ", unit.Share(s.count, f.Total), " |")
			}
		}
	}
	b.line()
	b.line("| class | instances | own size | retained |")
	b.line("|---|---:|---:|---:|")
	for _, c := range r.Histogram[:min(len(r.Histogram), ticketClasses)] {
		b.line("| ", code(c.Class), " | ", unit.Count(c.Instances), " | ", unit.Bytes(c.ShallowBytes), " | ", known(c.RetainedBytes, unit.Bytes), " |")
	}
}

// escape takes the meaning from all characters that Markdown, or HTML in it, gives one.
// Mentions and issue numbers, which trackers follow, are broken up by a character
// without width.
func escape(s string) string {
	const wordJoiner = '\u2060'
	var b strings.Builder
	for i, c := range s {
		switch {
		case strings.ContainsRune("\\`*_[]|~<>&", c), i == 0 && strings.ContainsRune("-+#=", c), c == '$' && (i == 0 || s[i-1] == ' '),
			(c == '.' || c == ')') && strings.HasPrefix(s[i+1:], " ") && strings.Trim(s[:i], "0123456789") == "":
			b.WriteByte('\\')
			b.WriteRune(c)
		case (c == '@' || c == '#') && i+1 < len(s) && s[i+1] != ' ':
			b.WriteRune(c)
			b.WriteRune(wordJoiner)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// code is a code span, whatever is in it. A pipe would end a table's cell even there.
func code(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(s, "|", "¦")
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}
