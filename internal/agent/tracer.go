package agent

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

// tracer follows the transactions of one target. All its state but the tracker and
// state belongs to its rounds.
type tracer struct {
	target  jvm.Target
	client  RequestClient
	tracker *tx.Tracker
	records *ring.Ring
	sink    Sink
	// handed counts the samples that the sink was given.
	handed   func(samples int, lost bool)
	labels   []series.Label
	own      *tracerMetrics
	log      *slog.Logger
	interval time.Duration
	// publish is the time between two sets of samples.
	publish   time.Duration
	threshold time.Duration

	// spans gets the slow ones that have ended.
	spans *spanDesk
	// state is what status tells, vm what the JVM calls its process.
	state atomic.Pointer[tx.TargetState]
	vm    atomic.Pointer[string]

	// startMs identifies the JVM; a change is a restart.
	startMs   int64
	threads   threadNames
	process   processView
	databases []Database
	// blind says that the system does not let us see what threads wait on.
	blind bool
	// unlisted says that the threads of requests are in no list of the JVM's.
	unlisted bool
	// discovery is for servers that register no request processors.
	discovery discovery
	guard     guard
	rest      backOff
	// reason is that of the last failure, "" after a success and "new" before.
	reason string
	// published is when samples were last made.
	published time.Time
	// looks counts the looks at which a rare one may be left out.
	looks int
	// unkept is true while records cannot be kept: only changes are logged.
	unkept bool
}

func newTracer(w Watched, opts Options, handed func(samples int, lost bool)) *tracer {
	o := opts.Tracing
	tr := &tracer{
		target: w.Target,
		client: w.Requests,
		tracker: tx.New(tx.Options{
			Target:     w.Target.Name(),
			Thresholds: o.Thresholds,
			Interval:   o.Interval,
			IgnorePath: urlPath(w.Target.URL),
		}),
		records:   o.Records,
		spans:     newSpanDesk(*o),
		databases: o.Databases,
		sink:      opts.Sink,
		handed:    handed,
		labels:    series.TargetLabels(w.Target),
		own:       newTracerMetrics(w.Target),
		log:       opts.Logger.With("target", w.Target.Name()),
		interval:  o.Interval,
		publish:   opts.Interval,
		threshold: o.Thresholds.Least(),
		threads:   newThreadNames(),
		discovery: newDiscovery(),
		guard:     guard{interval: o.Interval},
		rest:      backOff{interval: o.Interval},
		reason:    "new",
	}
	tr.say("starting")
	return tr
}

// urlPath is the path of the agent's URL: where the agent is an application of the
// server that it looks at, its own requests have this path.
func urlPath(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Path == "/" {
		return ""
	}
	return u.Path
}

// turn looks at the target at every interval until ctx ends. A look that takes longer
// leaves out the moments it missed.
func (tr *tracer) turn(ctx context.Context) *turn {
	return &turn{
		interval: tr.interval,
		round:    func(time.Duration) { tr.round(ctx) },
		missed:   func(n int) { tr.own.missed.Add(n) },
	}
}

func (tr *tracer) round(ctx context.Context) {
	tr.looks++
	if tr.rest.skip() || tr.guard.level == guardRare && tr.looks%4 != 0 {
		tr.own.missed.Inc()
		tr.publishSamples(time.Now())
		return
	}
	requests, err := tr.client.Requests(ctx, tr.threads.workers)
	if ctx.Err() != nil {
		return // our own end is no failure of the target
	}
	if err != nil {
		tr.down(err)
		return
	}
	tr.up()
	tr.noteStart(requests)
	tr.vm.Store(&requests.Process)
	cost := costOf(requests.CPUNs, requests.Received.Sub(requests.Sent))
	tr.own.look.Update(requests.Received.Sub(requests.Sent).Seconds())
	cost += tr.discover(ctx, requests)
	tr.process.queued(requests, tr.threads.workers)
	tr.keep(tr.tracker.Requests(requests))
	tr.handOver()
	if tr.guard.level < guardOff {
		cost += tr.sample(ctx, requests)
	}
	tr.threads.employ(requests)
	tr.name(ctx)
	tr.own.jvmCPU.Add(cost.Seconds())
	if tr.guard.spent(cost) {
		tr.log.Info("looks at threads were adapted to what they cost the JVM", "sampling", tr.guard.name(), "cpu_share", tr.guard.share)
	}
	tr.own.level.Set(float64(tr.guard.level))
	tr.say("following")
	tr.publishSamples(time.Now())
}

// noteStart forgets the threads of the JVM before this one, which has others by the same names
// and ids: what the look says of workers is of any of them.
func (tr *tracer) noteStart(r *jvm.Requests) {
	start, ok := r.StartMs.Get()
	if !ok || start == tr.startMs {
		return
	}
	if tr.startMs != 0 {
		tr.threads, tr.discovery = newThreadNames(), newDiscovery()
		clear(r.Workers)
	}
	tr.startMs = start
}

// costOf is what a look cost the JVM: its processor time, or, where it does not
// tell, all the time it took.
func costOf(cpuNs jvm.Opt[int64], took time.Duration) time.Duration {
	if ns, ok := cpuNs.Get(); ok {
		return time.Duration(ns)
	}
	return took
}

func (tr *tracer) down(err error) {
	tr.rest.failed()
	if reason := jmx.Reason(err); tr.reason != reason {
		if reason != jmx.ReasonDial { // else the target is down, and said to be
			tr.log.Warn("transactions cannot be followed", "reason", reason, "error", err)
		}
		tr.reason = reason
	}
	tr.keep(tr.tracker.Gone(time.Now(), jmx.Reason(err) == jmx.ReasonDial))
	tr.say("down")
	tr.publishSamples(time.Now())
}

func (tr *tracer) up() {
	tr.rest.succeeded()
	if tr.reason != "" && tr.reason != "new" && tr.reason != jmx.ReasonDial {
		tr.log.Info("transactions are followed again")
	}
	tr.reason = ""
}

// keep puts records into the ring.
func (tr *tracer) keep(records []*tx.Record) {
	for _, rec := range records {
		err := tr.records.Add(rec)
		if err != nil && !tr.unkept {
			tr.log.Error("records of transactions are lost until further notice", "error", err)
		}
		tr.unkept = err != nil
		tr.own.records.Inc()
		tr.spans.record(rec, time.Now())
	}
}

// say sets what status tells.
func (tr *tracer) say(state string) {
	tr.state.Store(&tx.TargetState{
		Target:      tr.target.Name(),
		State:       state,
		Sampling:    tr.guard.name(),
		IntervalMs:  tr.interval.Milliseconds(),
		ThresholdMs: tr.threshold.Milliseconds(),
		Notes:       tr.notes(),
	})
}

// status is how well the target can be followed.
func (tr *tracer) status() tx.TargetState { return *tr.state.Load() }

// blindSpots are the requests that no stack of a thread shows.
const blindSpots = "Those on virtual threads, and asynchronous ones while they have no thread, are not seen unless the application sends spans"

// notes say what cannot be seen of the target.
func (tr *tracer) notes() []string {
	notes := []string{}
	if tr.blind {
		notes = append(notes, host.ErrNoRight.Error())
	}
	if tr.unlisted {
		notes = append(notes, "requests run on threads that are in no list of the JVM's, as a rule virtual ones: their path, age and exact duration are seen; "+
			"where their time goes is not, unless the application sends spans")
	}
	switch {
	case !tr.discovery.needed:
	case tr.threads.virtual():
		notes = append(notes, "the JVM runs virtual threads, and not all requests have a processor among the server's MBeans: those on virtual threads are not seen "+
			"unless the application sends spans, those on other threads are estimated from their stacks")
	case !tr.discovery.workers.Seen():
		notes = append(notes, "no request was seen yet: none has a processor among the MBeans, and no thread was found at one. "+blindSpots)
	default:
		notes = append(notes, "not all requests have a processor among the server's MBeans: others are estimated from the stacks of their threads "+
			"(Spring Boot on Tomcat registers processors with server.tomcat.mbeanregistry.enabled=true). "+blindSpots)
	}
	return notes
}
