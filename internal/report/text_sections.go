package report

import (
	"fmt"
	"slices"
	"strings"

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
	if h.FinalizationObjects != nil && *h.FinalizationObjects > 0 {
		add("  kept by finalization", h.FinalizationObjects, h.FinalizationBytes)
	}
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

// smallShare is the part of the reachable heap below which no object is a big one.
const smallShare = 1000

// dominators writes the biggest objects directly under the GC roots.
func (p *printer) dominators(r *Report) {
	if len(r.Dominators) == 0 {
		return
	}
	shown := r.Dominators[:min(len(r.Dominators), textRows)]
	small := slices.IndexFunc(shown, func(d DominatorRow) bool { return d.RetainedBytes < r.Heap.live()/smallShare })
	if small > 0 {
		shown = shown[:small]
	}
	p.heading("BIGGEST OBJECTS", "by what would be freed with them")
	rows := make([][]string, len(shown))
	for i, d := range shown {
		rows[i] = []string{d.name(), d.Object, unit.Bytes(d.ShallowBytes), unit.Bytes(d.RetainedBytes), unit.Share(d.RetainedBytes, r.Heap.live())}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "OBJECT"}, {title: "SHALLOW", number: true},
		{title: "RETAINED", number: true}, {title: "OF REACHABLE", number: true, optional: 1}}, rows)
	p.more(int64(len(r.Dominators)-len(shown))+r.Limits.DominatorsOmitted, "object", "objects")
}

// more says how many rows a table leaves out.
func (p *printer) more(n int64, one, many string) {
	if n > 0 {
		p.line(p.paint(sgrDim, "  … and "+unit.Plural(n, "more "+one, "more "+many)))
	}
}

// warnings writes what limits how far the report can be trusted.
func (p *printer) warnings(warnings []Warning) {
	if len(warnings) == 0 {
		return
	}
	p.heading("WARNINGS", "")
	for _, w := range warnings {
		p.prose("    ", "  ", p.paint(sgrYellow, w.Code)+": "+w.String())
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
		rows[i] = []string{c.Class, loader, unit.Count(c.Instances), unit.Bytes(c.ShallowBytes), unit.Share(c.ShallowBytes, r.Heap.ShallowBytes), known(c.RetainedBytes, unit.Bytes)}
	}
	p.table(2, []column{{title: "CLASS", flexible: true}, {title: "LOADER"}, {title: "INSTANCES", number: true},
		{title: "SHALLOW", number: true}, {title: "SHARE", number: true, optional: 2}, {title: "RETAINED", number: true, optional: 1}}, rows)
	p.more(int64(len(r.Histogram)-len(shown))+r.Limits.HistogramOmitted, "class", "classes")
}

// known renders a number that may not have been computed.
func known(n *int64, render func(int64) string) string {
	if n == nil {
		return ""
	}
	return render(*n)
}
