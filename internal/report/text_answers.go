package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// AnswerJSON writes an answer as JSON does a report.
func AnswerJSON(w io.Writer, a Answer) error { return writeJSON(w, a) }

// name is what an object is called in one line, without its address.
func (n ObjectName) name() string {
	switch {
	case n.Class == "":
		return "(not in the dump)"
	case n.Text != nil:
		return n.Class + " " + n.quoted()
	case n.Of == "":
		return n.Class
	case n.Class == "java.lang.Class":
		return "class " + n.Of
	}
	return n.Class + " \"" + n.Of + "\""
}

// maxQuoted bounds a text that stands within a line, in characters.
const maxQuoted = 60

// quoted is the text in quotes, cut.
func (n ObjectName) quoted() string {
	text, more := *n.Text, n.TextCut
	if runes := []rune(text); len(runes) > maxQuoted {
		text, more = string(runes[:maxQuoted]), true
	}
	if more {
		text += "…"
	}
	return `"` + text + `"`
}

// phrase says how one object refers to another, such as "static cache" or "[17]".
func (r Reference) phrase() string {
	var s string
	switch {
	case r.Kind == "field":
		s = r.Field
	case r.Kind == "static":
		s = "static " + r.Field
	case r.Kind == "element" && r.Index != nil:
		s = "[" + strconv.FormatInt(*r.Index, 10) + "]"
	case r.Kind == "element":
		s = "[]"
	default:
		s = "<" + r.Kind + ">"
	}
	if r.Strength != "" {
		s += " (" + r.Strength + ")"
	}
	return s
}

// root writes a GC root in words.
func (r PathRoot) words() string {
	s := r.Kind
	if r.Thread != "" {
		s += ` "` + r.Thread + `"`
	}
	if r.Frame != "" {
		s += " at " + r.Frame
	}
	return s
}

// head writes what the answer is about.
func (p *printer) head(h *Head) { p.source(&Report{Dump: h.Dump, Warnings: h.Warnings}) }

// referrers writes who refers to an object.
func (p *printer) referrers(r *Referrers) {
	p.heading("REFERRED TO BY", unit.Plural(r.Objects, "object", "objects")+", "+unit.Plural(r.References, "reference", "references"))
	if r.References == 0 {
		return
	}
	if r.References > int64(len(r.First)) {
		p.kinds(r.Kinds)
		p.more(r.KindsOmitted, "kind", "kinds")
		p.line()
	}
	rows := make([][]string, len(r.First))
	for i, f := range r.First {
		rows[i] = []string{f.name(), f.Object, f.Reference.phrase()}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "OBJECT"}, {title: "BY"}}, rows)
	p.more(r.FirstOmitted, "reference", "references")
}

// kinds writes references by class and field.
func (p *printer) kinds(kinds []ReferrerKind) {
	rows := make([][]string, len(kinds))
	for i, k := range kinds {
		by := k.Reference.phrase()
		if k.Reference.Kind == "static" {
			by += " of " + k.Reference.DeclaredBy
		}
		rows[i] = []string{k.Class, by, unit.Count(k.References)}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "BY"}, {title: "REFERENCES", number: true}}, rows)
}

// properties writes names and values in two columns, leaving out those that are empty.
func (p *printer) properties(pairs ...string) {
	var facts []finding.Fact
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			facts = append(facts, finding.Fact{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	p.facts(facts)
}

// joined lists words for a line.
func joined(words []string) string { return strings.Join(words, ", ") }
