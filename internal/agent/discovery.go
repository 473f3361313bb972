package agent

import (
	"context"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// rollCall is the time between two lists of all threads, for new workers.
	rollCall = 10 * time.Second
	// maxCandidates bounds the threads whose state is asked for at each look, workers before others.
	maxCandidates = 200
	// strangerBudget is the number of stacks of threads that are no workers by their names, for as long
	// as strangerTime. Then it is one.
	strangerBudget = 4
	strangerTime   = time.Minute
	// entryDepth is the number of innermost calls that must reach down to the server's
	// own.
	entryDepth = 256
)

// discovery finds the transactions of servers without request processors.
type discovery struct {
	workers *tx.WorkerThreads
	// began is the first look that needed it.
	began time.Time
	// needed says that request processors did not show all requests at the last look.
	needed bool
	// next is when to list all threads again, started how many there had been at the
	// last list.
	next    time.Time
	started jvm.Opt[int64]
	// states and stacks are what rows were made of at the last look, at the time at.
	states, stacks map[int64]*jvm.Thread
	at             time.Time
}

func newDiscovery() discovery { return discovery{workers: tx.NewWorkerThreads()} }

// discover adds the worker threads to a look that shows no request processors, or that
// shows fewer requests than there are busy workers, as with HTTP/2, until these have
// ended. It returns what that cost the JVM.
func (tr *tracer) discover(ctx context.Context, r *jvm.Requests) time.Duration {
	d := &tr.discovery
	d.states, d.stacks = nil, nil
	claimed := map[string]bool{}
	for _, row := range r.Processors {
		if row.Thread != "" {
			claimed[row.Thread] = true
		}
	}
	told := (r.Registers || len(r.Processors) > 0) && r.BusyWorkers.Or(0) <= int64(len(claimed))
	d.needed = !told || d.workers.Busy()
	if tr.guard.level >= guardOff || !d.needed {
		return 0
	}
	if d.began.IsZero() {
		d.began = r.Received
	}
	cost := time.Duration(0)
	if !r.Received.Before(d.next) || r.StartedThreads != d.started {
		d.next, d.started = r.Received.Add(rollCall), r.StartedThreads
		spent, err := tr.threads.refresh(ctx, tr.client)
		cost += spent
		if err != nil {
			tr.log.Debug("list of threads", "error", err)
			return cost
		}
	}
	var ids, strangers []int64
	elsewhere := map[int64]bool{}
	for name, id := range tr.threads.byName {
		switch {
		case claimed[name]:
			elsewhere[id] = true
		case d.workers.IsWorker(name):
			ids = append(ids, id)
		default:
			strangers = append(strangers, id)
		}
	}
	slices.Sort(ids)
	slices.Sort(strangers)
	if ids = append(ids, strangers...); len(ids) == 0 {
		return cost
	}
	look, err := tr.client.Threads(ctx, ids[:min(len(ids), maxCandidates)], nil, 0)
	if err != nil {
		tr.log.Debug("looking at threads", "error", err)
		return cost
	}
	cost += tr.took(look, 0)
	budget := strangerBudget
	if r.Received.Sub(d.began) > strangerTime {
		budget = 1
	}
	moved := d.workers.ToLookAt(look.States, stackBudget, budget)
	stacks := &jmx.ThreadLook{At: look.At}
	if len(moved) > 0 {
		if stacks, err = tr.client.Threads(ctx, nil, moved, entryDepth); err != nil {
			tr.log.Debug("looking at threads", "error", err)
			return cost
		}
		cost += tr.took(stacks, len(moved))
	}
	apart := stacks.At.Sub(d.at) > 2*tr.interval
	d.states, d.stacks, d.at = look.States, stacks.Stacks, stacks.At
	r.Processors = append(r.Processors, d.workers.Rows(d.states, d.stacks, elsewhere, apart)...)
	return cost
}

// handOver gives the tracker the stacks that discover took.
func (tr *tracer) handOver() {
	d := &tr.discovery
	for _, w := range tr.tracker.InFlight(time.Now()) {
		if !w.Estimated {
			continue
		}
		state, stack := d.states[w.ThreadID], d.stacks[w.ThreadID]
		switch {
		case state == nil:
		case stack != nil:
			tr.tracker.Sample(w.Key, d.at, state, stack)
		default:
			tr.tracker.Unmoved(w.Key, d.at, jvm.Used{CPUNs: state.CPUNs, RunQueueNs: state.RunQueueNs})
		}
	}
}
