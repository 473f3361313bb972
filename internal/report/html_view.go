package report

import (
	"html/template"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// pageView is what the page's template shows: the report with every string safe to
// look at, and what was drawn of it.
type pageView struct {
	*Report
	Policy template.HTML
	Style  template.CSS
	Script template.JS

	Source  string
	Partial string // what is wrong with the dump, empty for a whole one
	// Calm is the verdict of a report without an alarm, empty where there is one.
	Calm     string
	IsCalm   bool // nothing was found, and nothing is missing
	Verdicts []verdictView
	Numbers  []numberView
	JVMFacts []finding.Fact

	Consumers    picture
	Classes      picture
	States       []stateView
	Referents    picture
	Holders      picture
	Timers       []timerView
	Tree         []*treeView
	Histogram    []histogramView
	Omitted      omittedView
	HasFinalizer bool
}

// numberView is one of the big numbers at the top.
type numberView struct{ Value, Name string }

// verdictView is a finding with its cost in words.
type verdictView struct {
	finding.Finding
	Mark, Cost string
	Culprits   []finding.Fact
}

// histogramView is a row of the histogram.
type histogramView struct {
	ClassRow
	Rank  int
	Share string
	// Retained is what sorting goes by, -1 where it is not known.
	Retained int64
}

// omittedView says how many rows the page leaves out.
type omittedView struct{ Histogram, Dominators, Schedulers, FinalizerClasses, CleanerClasses, Packages, Loaders int64 }

// newPageView prepares a report for the page.
func newPageView(full *Report, bound pageBound) *pageView {
	r := trimmed(full, bound)
	v := &pageView{
		Report: r, Policy: policy(), Style: template.CSS(pageCSS), Script: template.JS(pageJS),
		Source:   strings.Join(sourceFacts(r), " · "),
		Verdicts: verdictViews(r),
		Numbers:  numberViews(r),
		JVMFacts: jvmFacts(r.JVM),
		Omitted: omittedView{
			Histogram:  r.Limits.HistogramOmitted + int64(len(full.Histogram)-len(r.Histogram)),
			Dominators: r.Limits.DominatorsOmitted + int64(len(full.Dominators)-len(r.Dominators)),
			Packages:   r.Limits.PackagesOmitted + int64(len(full.Packages)-len(r.Packages)),
			Loaders:    r.Limits.LoadersOmitted + int64(len(full.Loaders)-len(r.Loaders)),
			Schedulers: r.Limits.SchedulersOmitted + int64(len(full.Schedulers)-len(r.Schedulers)),
		},
	}
	if r.Partial() {
		v.Partial = partialText + where(r.Warnings)
	}
	v.Calm, v.IsCalm = calm(r)
	v.Consumers = drawDominators(r)
	v.Tree = treeViews(r)
	v.Classes = drawClasses(r)
	if f := r.Finalizers; f != nil {
		v.Omitted.FinalizerClasses = r.Limits.FinalizerOmitted + int64(len(full.Finalizers.Classes)-len(f.Classes))
		v.HasFinalizer = f.Total > 0 || f.Disabled
		v.States = stateViews(f)
		v.Referents = drawReferents(f)
		v.Holders = drawHolders(f)
	}
	if c := r.Cleaners; c != nil {
		v.Omitted.CleanerClasses = r.Limits.CleanersOmitted + int64(len(full.Cleaners.Classes)-len(c.Classes))
	}
	for _, s := range r.Schedulers {
		v.Timers = append(v.Timers, newTimerView(s, r.Dump.Created))
	}
	for i, c := range r.Histogram {
		row := histogramView{ClassRow: c, Rank: i + 1, Share: unit.Share(c.ShallowBytes, r.Heap.ShallowBytes), Retained: -1}
		if c.RetainedBytes != nil {
			row.Retained = *c.RetainedBytes
		}
		v.Histogram = append(v.Histogram, row)
	}
	return v
}

// Bytes, Count and Maybe render numbers in the template.
func (*pageView) Bytes(n int64) string  { return unit.Bytes(n) }
func (*pageView) Count(n int64) string  { return unit.Count(n) }
func (*pageView) Maybe(n *int64) string { return known(n, unit.Bytes) }

// ShareOfLive renders retained bytes as a share of the reachable heap.
func (v *pageView) ShareOfLive(n int64) string { return unit.Share(n, v.Heap.live()) }

// Cells are the counts of the states, empty where there are none.
func (*pageView) Cells(s finding.States) []string {
	var cells []string
	for _, s := range states(s) {
		cells = append(cells, countOrNothing(s.count))
	}
	return cells
}

// verdictViews are the findings with their costs.
func verdictViews(r *Report) []verdictView {
	var all []verdictView
	for _, f := range r.Findings {
		v := verdictView{Finding: f, Mark: strings.ToUpper(string(f.Severity)), Cost: cost(r, f)}
		for _, part := range []finding.Fact{
			{Name: "class", Value: f.Culprit.Class}, {Name: "object", Value: f.Culprit.Object}, {Name: "thread", Value: f.Culprit.Thread},
			{Name: "field", Value: f.Culprit.Field}, {Name: "loader", Value: f.Culprit.Loader},
		} {
			if part.Value != "" {
				v.Culprits = append(v.Culprits, part)
			}
		}
		all = append(all, v)
	}
	return all
}

// numberViews are the numbers that tell how big the heap is.
func numberViews(r *Report) []numberView {
	h := r.Heap
	all := []numberView{{unit.Bytes(h.ShallowBytes), "in all objects"}}
	if h.ReachableBytes != nil && h.UnreachableBytes != nil {
		all = []numberView{
			{unit.Bytes(*h.ReachableBytes), "reachable"},
			{unit.Bytes(*h.UnreachableBytes), "garbage (" + unit.Share(*h.UnreachableBytes, h.ShallowBytes) + ")"},
		}
	}
	if h.FinalizationBytes != nil && *h.FinalizationBytes > 0 {
		all = append(all, numberView{unit.Bytes(*h.FinalizationBytes), "of that kept by finalization alone"})
	}
	all = append(all, numberView{unit.Count(h.Objects), "objects"}, numberView{unit.Count(h.Classes), "classes"},
		numberView{unit.Count(h.Loaders), "class loaders"})
	if r.Finalizers != nil {
		all = append(all, numberView{unit.Count(r.Finalizers.Total), "Finalizers"})
	}
	return all
}

// jvmFacts are the known parts of the JVM's identity.
func jvmFacts(j *JVM) []finding.Fact {
	if j == nil {
		return nil
	}
	var all []finding.Fact
	for _, part := range []finding.Fact{
		{Name: "version", Value: j.Version}, {Name: "vendor", Value: j.Vendor}, {Name: "collector", Value: j.Collector}, {Name: "arguments", Value: j.Arguments},
	} {
		if part.Value != "" {
			all = append(all, part)
		}
	}
	return all
}
