package report

import (
	"io"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// DominatorsText writes the list for a reader.
func DominatorsText(w io.Writer, d *Dominators, o TextOptions) error {
	p := newPrinter(o)
	d = rewritten(d, Printable)
	p.head(&d.Head)
	p.dominatorsOf(d)
	if len(d.Dominators) > 0 {
		rows := make([][]string, len(d.Dominators))
		for i, r := range d.Dominators {
			rows[i] = []string{r.name(), r.Object, unit.Bytes(r.ShallowBytes), unit.Bytes(r.RetainedBytes), unit.Share(r.RetainedBytes, d.Heap.live())}
		}
		p.table(2, []column{{title: "CLASS", flexible: true}, {title: "OBJECT"}, {title: "SHALLOW", number: true},
			{title: "RETAINED", number: true}, {title: "OF REACHABLE", number: true, optional: 1}}, rows)
	}
	if n := d.Limits.DominatorsOmitted; n > 0 {
		p.line(p.paint(sgrDim, "  … and "+unit.Plural(n, "more object", "more objects")+" that retain "+unit.Bytes(d.Limits.OmittedBytes)))
	}
	p.warnings(d.Warnings)
	return p.flush(w)
}

// dominatorsOf writes whose children are listed.
func (p *printer) dominatorsOf(d *Dominators) {
	if d.Of == nil {
		p.heading("BIGGEST OBJECTS", "directly under the GC roots, by what would be freed with them")
		return
	}
	p.heading("OBJECT", "")
	by := "the GC roots: no single object"
	if d.By != nil {
		by = d.By.name() + " @ " + d.By.Object
	}
	if d.Of.RetainedBytes == 0 {
		by = "nothing: no GC root reaches it"
	}
	p.properties("object", d.Of.name()+" @ "+d.Of.Object, "shallow", unit.Bytes(d.Of.ShallowBytes),
		"retained", unit.Bytes(d.Of.RetainedBytes), "dominated by", by)
	p.heading("DIRECTLY UNDER IT", "objects that are reached through it alone, by what would be freed with them")
	if len(d.Dominators) == 0 {
		p.line("  nothing")
	}
}
