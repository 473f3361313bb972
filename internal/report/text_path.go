package report

import (
	"io"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// PathText writes the path for a reader.
func PathText(w io.Writer, a *ObjectPath, o TextOptions) error {
	p := newPrinter(o)
	a = rewritten(a, Printable)
	p.head(&a.Head)
	p.line()
	p.paragraph(0, p.paint(sgrBold, a.Object.name()+" @ "+a.Object.Object))
	p.paragraph(0, reachabilityWords(a))
	if len(a.Steps) > 0 {
		p.heading("PATH FROM THE GC ROOT", unit.Plural(int64(len(a.Steps))+a.Limits.StepsOmitted, "object", "objects"))
		p.steps(a)
	}
	if len(a.NotCounted) > 0 {
		p.heading("REFERENCES NOT COUNTED", "they do not keep it alive")
		p.kinds(a.NotCounted)
	}
	if a.Referrers != nil {
		p.referrers(a.Referrers)
	}
	p.warnings(a.Warnings)
	return p.flush(w)
}

// reachabilityWords says what keeps the object, and what that means.
//
// Source: package java.lang.ref.
func reachabilityWords(a *ObjectPath) string {
	through := ""
	for _, s := range a.Steps {
		if s.Reference != nil && s.Reference.Strength == a.Reachability {
			through = " (" + s.Class + "." + s.Reference.Field + " below)"
			break
		}
	}
	only := "No GC root holds it. It is reachable only through "
	switch a.Reachability {
	case Reachable:
		if len(a.Steps) == 1 {
			return "It is a GC root itself."
		}
		return "A GC root holds it."
	case "soft":
		return "It is held softly: only through a SoftReference" + through + ". It stays until memory runs short."
	case "weak":
		return only + "a weak reference" + through + ", which is not counted: the next collection clears it and frees the object."
	case "final":
		return only + "a Finalizer" + through + ", which is not counted: the object waits for its finalize(), and is freed by a collection after that."
	case "phantom":
		return only + "a phantom reference" + through + ", which is not counted: the object is freed once that is enqueued and cleared."
	}
	return "No GC root reaches it, through no kind of reference: it is garbage that the next collection frees."
}

// maxAlike is how many steps in a row may be alike before those in between are folded.
const maxAlike = 4

// steps writes the way as a tree: each line is an object, after the field of the object
// above that leads to it. Of many in a row that are alike, as in a linked list, the
// first and the last one are shown.
func (p *printer) steps(a *ObjectPath) {
	if a.Root != nil {
		p.line("    ", a.Root.words())
	}
	for i := 0; i < len(a.Steps); i++ {
		p.pathStep(a.Steps, i)
		last := i
		var folded int64
		for last+1 < len(a.Steps) && alike(a.Steps, i, last+1) {
			last++
			folded += 1 + a.Steps[last].Skipped
		}
		if i > 0 && last-i >= maxAlike {
			p.fold(i, folded-1, a.Steps[i].Class)
			a.Steps[last].Skipped = 0
			p.pathStep(a.Steps, last)
			i = last
		}
	}
}

// alike says whether two steps have the same class and are reached in the same way.
func alike(steps []PathStep, i, j int) bool {
	return i > 0 && steps[i].Class == steps[j].Class && steps[i-1].Reference.phrase() == steps[j-1].Reference.phrase()
}

// pathStep writes one step, after what is left out before it.
func (p *printer) pathStep(steps []PathStep, i int) {
	s := steps[i]
	lead := pathIndent(i) + "└ "
	if s.Skipped > 0 {
		p.fold(i, s.Skipped, "")
	} else if i > 0 {
		lead += steps[i-1].Reference.phrase() + " → "
	}
	p.step(lead, s.name(), " @ "+s.Object)
}

// fold says how many steps are left out.
func (p *printer) fold(i int, n int64, class string) {
	what := "objects"
	if class != "" {
		what = class
	}
	p.line(p.paint(sgrDim, pathIndent(i)+"  … "+unit.Count(n)+" more "+what+" …"))
}

func pathIndent(i int) string { return strings.Repeat(" ", min(4+2*i, maxTreeIndent)) }
