package report

import "io"

// TextOptions steer the text form.
type TextOptions struct {
	// Width is the terminal's width in columns. 0 is for output that nobody looks
	// at in a terminal: tables are as wide as their content, names are whole.
	Width int
	// Color allows terminal colours.
	Color bool
}

// textRows is how many rows of a list the text form shows; the JSON form has all.
const textRows = 20

// Text writes the report for a reader: the verdict first, then what it rests on.
func Text(w io.Writer, r *Report, o TextOptions) error {
	p, r := begin(r, o)
	p.verdict(r)
	p.otherFindings(r)
	p.heap(r)
	p.finalizers(r)
	p.cleaners(r)
	p.schedulers(r)
	p.histogram(r, textRows)
	p.loaders(r)
	p.packages(r)
	p.dominators(r)
	p.warnings(r.Warnings)
	return p.flush(w)
}

// Verdict writes what fits one screen: what is wrong, who is to blame and what
// to do, or that nothing is.
func Verdict(w io.Writer, r *Report, o TextOptions) error {
	p, r := begin(r, o)
	p.verdict(r)
	p.alsoFound(r)
	return p.flush(w)
}

// HistogramText writes the class histogram alone, with all rows of the report.
func HistogramText(w io.Writer, r *Report, o TextOptions) error {
	p, r := begin(r, o)
	p.source(r)
	p.histogram(r, len(r.Histogram))
	p.warnings(r.Warnings)
	return p.flush(w)
}

// begin prepares a printer and a copy of r whose strings are safe to print.
func begin(r *Report, o TextOptions) (*printer, *Report) {
	return newPrinter(o), rewritten(r, Printable)
}

func newPrinter(o TextOptions) *printer {
	p := &printer{palette: palette{on: o.Color}}
	if o.Width > 0 {
		p.width = max(o.Width, minWidth)
	}
	return p
}

// flush hands the whole text over in one write.
func (p *printer) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}
