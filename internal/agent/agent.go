// Package agent runs the sidecar: it polls every target on its own, hands the
// samples to a sink, and takes a heap dump when a JVM runs out of memory.
package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// Client is what the agent needs of a target's Jolokia agent.
type Client interface {
	// Poll reads everything once.
	Poll(ctx context.Context) (*jvm.Snapshot, error)
	// FinalizerQueue reads what waits for the Finalizer thread.
	FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error)
	// DumpHeap has the JVM write a heap dump and returns when it is complete.
	DumpHeap(ctx context.Context, file string, live bool) error
}

// Sink takes samples. It must not block for long: the poll of a target waits for
// it. It owns the slice afterwards.
type Sink interface {
	Append(samples []series.Sample) error
}

// Watched is a target with the client that reaches it.
type Watched struct {
	Target jvm.Target
	Client Client
	// Requests is asked for transactions; used only with Options.Tracing.
	Requests RequestClient
}

// Options build an Agent.
type Options struct {
	Watched  []Watched
	Interval time.Duration
	Sink     Sink
	// Capture takes heap dumps; nil takes none.
	Capture *Capture
	// Trigger says when; used only with Capture.
	Trigger TriggerOptions
	// Tracing follows transactions; nil follows none.
	Tracing *TracingOptions
	Logger  *slog.Logger
}

// Agent polls targets until its context ends.
type Agent struct {
	opts     Options
	metrics  *metrics.Set
	watchers []*watcher
	tracers  []*tracer
}

// New builds an agent; Run starts it.
func New(opts Options) *Agent {
	a := &Agent{opts: opts, metrics: metrics.NewSet()}
	for i, w := range opts.Watched {
		// Spread over the interval: a thousand targets don't poll at once, and the
		// first one is polled at the start.
		offset := opts.Interval * time.Duration(i) / time.Duration(len(opts.Watched))
		a.watchers = append(a.watchers, newWatcher(w, offset, opts, a.metrics))
		if opts.Tracing != nil {
			offset := opts.Tracing.Interval * time.Duration(i) / time.Duration(len(opts.Watched))
			a.tracers = append(a.tracers, newTracer(w, offset, opts, a.metrics))
		}
	}
	return a
}

// Run polls until ctx ends, then waits for what it started and returns nil.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, w := range a.watchers {
		wg.Go(func() { w.run(ctx) })
	}
	for _, tr := range a.tracers {
		wg.Go(func() { tr.run(ctx) })
	}
	wg.Wait()
	if a.opts.Capture != nil {
		a.opts.Capture.Wait()
	}
	return nil
}

// WriteMetrics writes the agent's own metrics in Prometheus' text form.
func (a *Agent) WriteMetrics(w io.Writer) { a.metrics.WritePrometheus(w) }

// Ready says why the agent is not at work yet: a target nobody has polled so far.
// A target that is down does not make the agent unready.
func (a *Agent) Ready() error {
	for _, w := range a.watchers {
		if !w.polled.Load() {
			return fmt.Errorf("target %s was not polled yet", w.target.Name())
		}
	}
	return nil
}

// labelled renders the name of a self metric with the target's two labels and,
// where extra is not empty, one more label.
func labelled(name string, t jvm.Target, extraName, extraValue string) string {
	if extraName == "" {
		return fmt.Sprintf("%s{job=%q,instance=%q}", name, t.Job, t.Instance)
	}
	return fmt.Sprintf("%s{job=%q,instance=%q,%s=%q}", name, t.Job, t.Instance, extraName, extraValue)
}
