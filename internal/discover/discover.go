package discover

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promrelabel"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/vmlog"
)

// Discoverer keeps asking the sources of all jobs.
type Discoverer struct {
	log *slog.Logger
	// changed has a value when targets may have changed since it was last taken.
	changed chan struct{}

	watches []*watch
}

// watch is one source with what it found last.
type watch struct {
	job     *Job
	relabel *promrelabel.ParsedConfigs
	source  source

	mu      sync.Mutex
	targets []jvm.Target
	// errors and dropped count since the start; failing is the last failure while it
	// lasts: only changes are logged.
	errors, dropped int
	failing         error
	// invalid says what in the last answer was no target; empty if all was.
	invalid string
	// asked is true after the first answer or failure.
	asked bool
}

// New builds a discoverer of valid jobs; Run starts it. The jobs belong to it.
func New(jobs []Job, log *slog.Logger) (*Discoverer, error) {
	if !flag.Parsed() {
		// VictoriaMetrics' packages want the standard flag set parsed.
		if err := flag.CommandLine.Parse(nil); err != nil {
			return nil, fmt.Errorf("discover: %w", err)
		}
	}
	vmlog.To(log)
	d := &Discoverer{log: log, changed: make(chan struct{}, 1)}
	for i := range jobs {
		relabel, err := promrelabel.ParseRelabelConfigs(jobs[i].Relabel)
		if err != nil {
			return nil, fmt.Errorf("discover: job %s: %w", jobs[i].Name, err)
		}
		for _, s := range jobs[i].sources() {
			d.watches = append(d.watches, &watch{job: &jobs[i], relabel: relabel, source: s})
		}
	}
	return d, nil
}

// Changed has a value when Targets may give something else than before.
func (d *Discoverer) Changed() <-chan struct{} { return d.changed }

// Targets are those of all sources.
func (d *Discoverer) Targets() []jvm.Target {
	var all []jvm.Target
	for _, w := range d.watches {
		w.mu.Lock()
		all = append(all, w.targets...)
		w.mu.Unlock()
	}
	return all
}

// Run asks the sources until ctx ends. One that hangs delays no other.
func (d *Discoverer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, w := range d.watches {
		wg.Go(func() { d.follow(ctx, w) })
	}
	wg.Wait()
	return nil
}

// follow asks one source at its pace.
func (d *Discoverer) follow(ctx context.Context, w *watch) {
	if !d.begin(ctx, w) {
		return
	}
	tick := time.NewTicker(w.source.interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		d.ask(ctx, w)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// slowAnswer is how long a source may take to begin before it fails.
const slowAnswer = 10 * time.Second

// begin has the source begin; false when ctx ended before. A source that cannot be
// interrupted, as its server does not answer, is left to end by itself.
func (d *Discoverer) begin(ctx context.Context, w *watch) bool {
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		if w.source.begin != nil {
			w.source.begin()
		}
		if w.source.stop != nil {
			context.AfterFunc(ctx, w.source.stop)
		}
	}()
	slow := time.NewTimer(slowAnswer)
	defer slow.Stop()
	for {
		select {
		case <-begun:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		case <-slow.C:
			d.note(w, nil, errNoAnswer)
		}
	}
}

// errNoAnswer is that of a source that hangs at its beginning.
var errNoAnswer = errors.New("no answer yet")

// ask asks once and notes the answer.
func (d *Discoverer) ask(ctx context.Context, w *watch) {
	found, err := w.source.list(ctx)
	if ctx.Err() == nil {
		d.note(w, found, err)
	}
}

// note takes over what a source said, or that it failed.
func (d *Discoverer) note(w *watch, found []labels, err error) {
	log := d.log.With(slog.String("job", w.job.Name), slog.String("source", w.source.kind))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed(err, 1, log)
		if !w.asked {
			d.say()
		}
		w.asked = true
		return
	}
	times, fault := w.faultOf()
	w.failed(fault, times, log)
	targets := w.targetsOf(found, log)
	if w.asked && slices.EqualFunc(targets, w.targets, sameTarget) {
		return
	}
	w.asked, w.targets = true, targets
	d.say()
}

// faultOf is what the source says of itself.
func (w *watch) faultOf() (times int, err error) {
	if w.source.fault == nil {
		return 0, nil
	}
	return w.source.fault()
}

// failed notes a failure that was seen so many times, or that there is none; changes are
// logged. mu is held.
func (w *watch) failed(err error, times int, log *slog.Logger) {
	w.errors += times
	switch {
	case err != nil && w.failing == nil:
		log.Warn("discovery failed, the targets found before stay", slog.Any("error", err))
	case err == nil && w.failing != nil:
		log.Info("discovery works again")
	}
	w.failing = err
}

// Troubles say, for people, which sources fail now and why.
func (d *Discoverer) Troubles() []string {
	var out []string
	for _, w := range d.watches {
		w.mu.Lock()
		if w.failing != nil {
			out = append(out, fmt.Sprintf("Discovery of job %s (%s) fails, the targets found before stay: %v", w.job.Name, w.source.kind, w.failing))
		}
		if w.invalid != "" {
			out = append(out, fmt.Sprintf("Discovery of job %s (%s): %s", w.job.Name, w.source.kind, w.invalid))
		}
		w.mu.Unlock()
	}
	return out
}

// say gives changed a value.
func (d *Discoverer) say() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Settled tells whether every source was asked once, well or not: before, targets
// may be missing that are there.
func (d *Discoverer) Settled() bool {
	for _, w := range d.watches {
		w.mu.Lock()
		asked := w.asked
		w.mu.Unlock()
		if !asked {
			return false
		}
	}
	return true
}

// targetsOf are the targets in what a source found, sorted. What is none is told when it
// changes.
func (w *watch) targetsOf(found []labels, log *slog.Logger) []jvm.Target {
	var targets []jvm.Target
	invalid, example := 0, ""
	for _, l := range found {
		t, ok, err := w.job.target(l, w.relabel)
		if err != nil {
			invalid++
			if example == "" || err.Error() < example { // whatever the order
				example = err.Error()
			}
		}
		if ok {
			targets = append(targets, t)
		}
	}
	w.dropped += invalid
	before := w.invalid
	w.invalid = ""
	if invalid > 0 {
		w.invalid = fmt.Sprintf("%d of %d entries are no targets, as %s", invalid, len(found), example)
	}
	if w.invalid != "" && w.invalid != before {
		log.Warn("not all that was discovered is a target", slog.Int("left_out", invalid), slog.String("example", example))
	}
	slices.SortFunc(targets, compare)
	return slices.CompactFunc(targets, sameTarget)
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (d *Discoverer) WriteMetrics(out io.Writer) {
	for i, w := range d.watches {
		w.mu.Lock()
		by := fmt.Sprintf("{job=%q,source=%q}", w.job.Name, fmt.Sprintf("%s%d", w.source.kind, i))
		// A failed write is the scraper's own doing.
		_, _ = fmt.Fprintf(out, "apm_sidecar_discovered_targets%s %d\napm_sidecar_discovery_errors_total%s %d\napm_sidecar_discovery_dropped_total%s %d\n",
			by, len(w.targets), by, w.errors, by, w.dropped)
		w.mu.Unlock()
	}
}
