package report

import (
	"io"
	"strconv"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// InspectionText writes all of an object for a reader.
func InspectionText(w io.Writer, a *Inspection, o TextOptions) error {
	p := newPrinter(o)
	a = rewritten(a, Printable)
	p.head(&a.Head)
	p.object(a)
	p.fieldTable("FIELDS", a.Fields, a.Limits.FieldsOmitted)
	p.fieldTable("STATIC FIELDS", a.Statics, a.Limits.StaticsOmitted)
	p.elements(a)
	p.referrers(&a.Referrers)
	p.warnings(a.Warnings)
	return p.flush(w)
}

// object writes what the object is.
func (p *printer) object(a *Inspection) {
	p.heading("OBJECT", "")
	retained := "not computed: --retained does"
	if a.RetainedBytes != nil {
		retained = unit.Bytes(*a.RetainedBytes)
	}
	dominator := ""
	switch {
	case a.Dominator != nil:
		dominator = a.Dominator.name() + " @ " + a.Dominator.Object
	case a.Reachable != nil && *a.Reachable:
		dominator = "none: no single object holds it"
	case a.Reachable != nil:
		dominator = "none: no GC root reaches it"
	}
	var roots []string
	for _, r := range a.Roots {
		roots = append(roots, r.words())
	}
	length := ""
	if a.Length != nil {
		length = unit.Plural(*a.Length, "element", "elements")
	}
	instances := ""
	if a.Instances != nil {
		instances = unit.Count(*a.Instances)
	}
	loader := a.Loader
	if a.LoaderClass != "" {
		loader = a.LoaderClass + " @ " + a.Loader
	}
	text := ""
	if a.Text != nil {
		text = `"` + *a.Text + `"`
		if a.TextCut {
			text += "…"
		}
	}
	name := a.ObjectName
	name.Text = nil
	p.properties("object", name.name()+" @ "+a.Object, "text", text, "extends", joined(a.Superclasses), "loader", loader,
		"instances", instances, "length", length, "shallow", unit.Bytes(a.ShallowBytes), "retained", retained, "dominated by", dominator,
		"GC root", joined(roots), "has", unit.Plural(a.Outgoing, "reference", "references"))
}

// fieldTable writes fields with their values.
func (p *printer) fieldTable(title string, fields []FieldValue, omitted int64) {
	if len(fields) == 0 {
		return
	}
	p.heading(title, "")
	rows := make([][]string, len(fields))
	for i, f := range fields {
		rows[i] = []string{f.Field, f.text(), f.address(), f.Type, f.DeclaredBy}
	}
	p.table(2, []column{{title: "FIELD"}, {title: "VALUE", flexible: true}, {title: "OBJECT"}, {title: "TYPE", optional: 1},
		{title: "DECLARED BY", optional: 1}}, rows)
	p.more(omitted, "field", "fields")
}

// elements writes the elements of an array.
func (p *printer) elements(a *Inspection) {
	if len(a.Elements) == 0 {
		return
	}
	p.heading("ELEMENTS", "")
	rows := make([][]string, len(a.Elements))
	for i, v := range a.Elements {
		rows[i] = []string{"[" + strconv.Itoa(i) + "]", v.text(), v.address()}
	}
	p.table(2, []column{{title: "INDEX"}, {title: "VALUE", flexible: true}, {title: "OBJECT"}}, rows)
	p.more(a.Limits.ElementsOmitted, "element", "elements")
}

// text is the value for a line.
func (v Value) text() string {
	if v.Ref != nil {
		return v.Ref.name()
	}
	return v.Value
}

// address is that of the object which is referred to.
func (v Value) address() string {
	if v.Ref != nil {
		return v.Ref.Object
	}
	return ""
}
