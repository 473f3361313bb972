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

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// Client is what the agent needs of a target's Jolokia agent.
type Client interface {
	Poller
	Prober
	Dumper
}

// Poller asks for the tiers.
type Poller interface {
	// Poll reads what changes from second to second.
	Poll(ctx context.Context) (*jvm.Snapshot, error)
	// Details reads what changes slowly or costs more.
	Details(ctx context.Context) (*jvm.Details, error)
	// ThreadStates looks at the threads with the given ids and for deadlocks.
	ThreadStates(ctx context.Context, ids []int64) (*jvm.ThreadStates, error)
}

// Prober asks about finalizers.
type Prober interface {
	// FinalizerQueue reads what waits for the Finalizer thread.
	FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error)
	// FinalizerThread looks at that thread, found among those with the given ids.
	FinalizerThread(ctx context.Context, ids []int64) (*jvm.FinalizerThread, error)
	// RegisteredFinalizers counts finalizable objects; nil where the JVM knows not.
	RegisteredFinalizers(ctx context.Context) (*jvm.RegisteredFinalizers, error)
	MaxDirectMemory(ctx context.Context) (int64, error)
	// ClassHistogram counts all objects; the JVM stands still meanwhile.
	ClassHistogram(ctx context.Context) (*jvm.ClassHistogram, error)
}

// Dumper takes heap dumps.
type Dumper interface {
	// DumpHeap has the JVM write a heap dump and returns when it is complete.
	DumpHeap(ctx context.Context, file string, live bool) error
}

// Machine is the one that the sidecar runs on.
type Machine interface {
	// Find gives the process of a JVM, or what speaks against its being here.
	Find(t jvm.Target, vm jvm.VM, startMs int64) (pid int, err error)
	// Read reads the machine and the process.
	Read(pid int) (*jvm.Host, error)
}

// Sink takes samples. It must not block for long: the poll of a target waits for
// it. The slice is the sink's, to be given to Options.Memory when it has done with it.
type Sink interface {
	Append(samples []series.Sample) error
}

// Watched is a target with the client that reaches it.
type Watched struct {
	Target jvm.Target
	Client Client
	// Requests is asked for transactions; used only with Options.Tracing.
	Requests RequestClient
	// Close frees the client when the target is not watched any more; may be nil.
	Close func()
}

// Options build an Agent.
type Options struct {
	// Watched are the first targets; Follow replaces them.
	Watched []Watched
	// Connect builds the clients of a target, for Follow.
	Connect func(jvm.Target) Watched
	// Interval is the time between two polls of the fast tier, SlowInterval of the
	// slow one; a minute if zero.
	Interval, SlowInterval time.Duration
	// Naming is the profile of metric names.
	Naming series.Naming
	Sink   Sink
	// Memory is for samples; that of this agent alone if nil.
	Memory *series.Memory
	// Host reads the machine beside JVMs that run on it; nil reads none.
	Host Machine
	// Evidence says what is kept of a JVM on its way up.
	Evidence EvidenceOptions
	// Capture takes heap dumps; nil takes none.
	Capture *Capture
	// Trigger says when; used only with Capture.
	Trigger TriggerOptions
	// Tracing follows transactions; nil follows none.
	Tracing *TracingOptions
	// Asking tells how many requests of the clients wait for an answer; nil if that is not
	// known. The agent holds back with rounds while too many others are under way.
	Asking func() int
	Logger *slog.Logger

	// wheel has the rounds of all targets done.
	wheel *wheel
}

// Agent polls targets until its context ends.
type Agent struct {
	opts Options
	// spans is nil where transactions are not followed.
	spans *spanDesk
	// changed has a value when followers came or went since it was last taken.
	changed chan struct{}

	// mu guards the rest, and the followers' fields stop and gone.
	mu        sync.Mutex
	followers []*follower
	// leaving are followers that are to be ended.
	leaving []*follower
}

const defaultSlowInterval = time.Minute

// intervalOf is the time between two polls of a target.
func (o Options) intervalOf(t jvm.Target) time.Duration {
	if t.Interval > 0 {
		return t.Interval
	}
	return o.Interval
}

// New builds an agent; Run starts it.
func New(opts Options) *Agent {
	if opts.SlowInterval == 0 {
		opts.SlowInterval = defaultSlowInterval
	}
	if opts.Memory == nil {
		opts.Memory = &series.Memory{}
	}
	opts.wheel = newWheel(opts.Asking)
	a := &Agent{opts: opts, changed: make(chan struct{}, 1)}
	if opts.Tracing != nil {
		a.spans = newSpanDesk(*opts.Tracing)
	}
	left := opts.Capture.leftovers()
	for i, w := range opts.Watched {
		a.followers = append(a.followers, newFollower(w, place{i, len(opts.Watched)}, left.of(w.Target), opts))
	}
	return a
}

// Run polls until ctx ends, then waits for what it started and returns nil.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { a.joinSpans(ctx) })
	wg.Go(func() { a.opts.wheel.run(ctx) })
	for ctx.Err() == nil {
		a.startNew(ctx)
		a.endLeaving(&wg)
		select {
		case <-ctx.Done():
		case <-a.changed:
		}
	}
	a.endLeaving(&wg)
	for _, f := range a.started() {
		wg.Go(func() { f.end(false) })
	}
	wg.Wait()
	a.spans.flush()
	if a.opts.Capture != nil {
		a.opts.Capture.Wait()
	}
	return nil
}

// WriteMetrics writes the agent's own metrics in Prometheus' text form.
func (a *Agent) WriteMetrics(w io.Writer) {
	var own exposition
	for _, f := range a.all() {
		own.text = own.text[:0]
		f.watcher.own.write(&own)
		// A failed write is the scraper's own doing.
		_, _ = w.Write(own.text)
		if f.tracer != nil {
			f.tracer.own.set.WritePrometheus(w)
		}
	}
	a.spans.writeMetrics(w)
}

// Ready says why the agent is not at work yet: a target nobody has polled so far.
// A target that is down does not make the agent unready.
func (a *Agent) Ready() error {
	for _, f := range a.all() {
		if !f.watcher.polled.Load() {
			return fmt.Errorf("target %s was not polled yet", f.watched.Target.Name())
		}
	}
	return nil
}

// labelsOf are the two labels of a target's self metrics.
func labelsOf(t jvm.Target) string { return fmt.Sprintf("job=%q,instance=%q", t.Job, t.Instance) }

// Evidence is what was kept of each target that has any, by its name, oldest first.
func (a *Agent) Evidence() map[string][]jvm.Evidence {
	all := map[string][]jvm.Evidence{}
	for _, f := range a.all() {
		if list := f.watcher.evidence.kept.all(); len(list) > 0 {
			all[f.watched.Target.Name()] = list
		}
	}
	return all
}
