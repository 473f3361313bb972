package report

import (
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// manyCleaners is how many of a class the text form shows even if none waits.
const manyCleaners = 1000

// cleaners writes the census of phantom references: the classes of which something
// waits to be cleaned up, never will be, or which are many.
func (p *printer) cleaners(r *Report) {
	if r.Cleaners == nil {
		return
	}
	shown := slices.DeleteFunc(slices.Clone(r.Cleaners.Classes), func(c finding.CleanerClass) bool {
		return c.States.Pending+c.States.Enqueued+c.States.InProcessing+c.SelfReferencing == 0 && c.Total < manyCleaners
	})
	if len(shown) == 0 {
		return
	}
	p.heading("CLEANERS", unit.Plural(r.Cleaners.Total, "phantom reference", "phantom references"))
	columns := []column{{title: "ACTION OR REFERENCE", flexible: true}, {title: "TOTAL", number: true}}
	for _, s := range states(finding.States{}) {
		columns = append(columns, column{title: s.short, number: true})
	}
	columns = append(columns, column{title: "OF ITSELF", number: true})
	rows := make([][]string, min(len(shown), textRows))
	for i := range rows {
		c := shown[i]
		rows[i] = []string{c.Class, unit.Count(c.Total)}
		for _, s := range states(c.States) {
			rows[i] = append(rows[i], countOrNothing(s.count))
		}
		rows[i] = append(rows[i], countOrNothing(c.SelfReferencing))
	}
	p.table(2, columns, rows)
	p.more(int64(len(r.Cleaners.Classes)-len(rows))+r.Limits.CleanersOmitted, "class", "classes")
}

// countOrNothing leaves a cell empty where there is nothing to count.
func countOrNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return unit.Count(n)
}
