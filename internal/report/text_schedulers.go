package report

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// schedulers writes each timer with its tasks.
func (p *printer) schedulers(r *Report) {
	if len(r.Schedulers) == 0 {
		return
	}
	p.heading("TIMERS AND SCHEDULERS", unit.Count(int64(len(r.Schedulers))+r.Limits.SchedulersOmitted))
	for i, s := range r.Schedulers {
		if i > 0 {
			p.line()
		}
		p.scheduler(s, r.Dump.Created)
	}
	p.more(r.Limits.SchedulersOmitted, "scheduler", "schedulers")
}

// scheduler writes one timer: who runs it, what is in its queue, when it is due.
func (p *printer) scheduler(s finding.Scheduler, created string) {
	name := s.Kind + " @ " + s.Object
	if s.Thread != "" {
		name += ` · thread "` + s.Thread + `"`
	}
	p.prose("    ", "  ", name)
	p.facts(schedulerFacts(s, created))
	if len(s.Tasks) == 0 {
		return
	}
	rows := make([][]string, len(s.Tasks))
	for i, t := range s.Tasks {
		rows[i] = []string{t.Class, t.State, unit.Count(t.Count)}
	}
	p.table(4, []column{{title: "TASK", flexible: true}, {title: "STATE"}, {title: "COUNT", number: true}}, rows)
}

// schedulerFacts describe a timer's queue; created is the time of the dump.
func schedulerFacts(s finding.Scheduler, created string) []finding.Fact {
	queue := unit.Plural(s.Size, "task", "tasks")
	switch {
	case s.Size > 0 && s.Cancelled > 0:
		queue += ", " + unit.Count(s.Cancelled) + " of them cancelled (" + unit.Share(s.Cancelled, s.Size) + ")"
	case s.Size > 0:
		queue += ", none cancelled"
	}
	facts := []finding.Fact{{Name: "queue", Value: queue}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, finding.Fact{Name: name, Value: value})
		}
	}
	if s.Capacity > 0 {
		add("capacity", unit.Count(s.Capacity))
	}
	if s.Overdue != nil {
		add("overdue", unit.Count(*s.Overdue))
	}
	latest := ""
	if s.DueReckoned {
		latest = " at the latest"
	}
	add("head task", s.HeadTask)
	if s.HeadDue != "" {
		add("head due", due(s.HeadDue, created)+latest)
	}
	if s.LastDue != "" {
		add("last due", due(s.LastDue, created)+latest)
	}
	add("retains", known(s.RetainedBytes, unit.Bytes))
	return facts
}

// due renders an instant and how far it is from the time of the dump.
func due(instant, created string) string {
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return instant
	}
	dumped, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return instant
	}
	switch distance := at.Sub(dumped); {
	case distance >= 0:
		return instant + ", " + unit.Duration(distance) + " after the dump"
	default:
		return instant + ", " + unit.Duration(-distance) + " before the dump"
	}
}
