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
	// stackBudget is the number of stacks of one look, of requests that have some already and
	// as many of others.
	stackBudget = 16
	// youngBudget is the number of stacks of requests that began after the look before: most
	// of these are gone at the next one. It goes to the oldest, who are least likely to be.
	youngBudget = 4
	// stackDepth is the number of innermost calls of a stack.
	stackDepth = 64
	// chainDepth bounds a chain of lock owners.
	chainDepth = 4
)

// sample looks at the threads of the transactions in flight, and returns what that
// cost the JVM. Threads that have not run since they were last looked at are not
// looked at again: the look at requests told what they have used.
func (tr *tracer) sample(ctx context.Context, r *jvm.Requests) time.Duration {
	wanted := slices.DeleteFunc(tr.tracker.InFlight(time.Now()), func(w tx.Wanted) bool {
		return w.Estimated || tr.guard.level == guardCandidates && !w.Candidate
	})
	if len(wanted) == 0 {
		return 0
	}
	cost, err := tr.threads.resolve(ctx, tr.client, wanted)
	if err != nil {
		tr.log.Debug("threads by name", "error", err)
		return cost
	}
	moved := tr.moved(r, wanted)
	if len(moved) == 0 {
		return cost
	}
	look, err := tr.client.Threads(ctx, nil, ids(moved), stackDepth, processors(moved)...)
	if err != nil {
		tr.log.Debug("looking at threads", "error", err)
		return cost
	}
	cost += tr.took(look, len(moved))
	return cost + tr.owners(ctx, tr.take(look, moved))
}

// moved are those of the transactions, the oldest first, whose stacks are worth a look.
func (tr *tracer) moved(r *jvm.Requests, wanted []tx.Wanted) []tx.Wanted {
	var known, fresh, young []tx.Wanted
	tr.unlisted = false
	for _, w := range wanted {
		switch {
		case w.ThreadID == 0:
			tr.tracker.Unlisted(w.Key)
			tr.unlisted = true
		case w.Sampled && tr.tracker.Unmoved(w.Key, r.At(), r.Workers[w.Thread]):
		case w.Sampled:
			known = append(known, w)
		case w.Age < tr.interval:
			young = append(young, w)
		default:
			fresh = append(fresh, w)
		}
	}
	return slices.Concat(known[:min(len(known), stackBudget)], fresh[:min(len(fresh), stackBudget)], young[:min(len(young), youngBudget)])
}

// took takes up a look and returns what it cost the JVM.
func (tr *tracer) took(look *jmx.ThreadLook, stacks int) time.Duration {
	tr.process.queuedOf(look)
	if stacks > 0 {
		tr.own.stackLook.Update(look.Took.Seconds())
		tr.own.stacks.Add(stacks)
	}
	return costOf(look.CPUNs, look.Took)
}

// take hands the stacks of a look to the tracker, and returns them. A thread may have
// gone over to another request before its stack was taken, when its own ended or went
// on asynchronously: only of one that has the request still in hand afterwards is the
// stack of this one.
func (tr *tracer) take(look *jmx.ThreadLook, of []tx.Wanted) map[tx.Key]*jvm.Thread {
	taken := map[tx.Key]*jvm.Thread{}
	for _, w := range of {
		state, stack := look.States[w.ThreadID], look.Stacks[w.ThreadID]
		if state == nil || stack == nil {
			tr.threads.forget(w.ThreadID)
			continue
		}
		if !tx.InHand(look.Processors[w.Key.Processor], w) {
			continue
		}
		tr.tracker.Sample(w.Key, look.At, state, stack)
		taken[w.Key] = stack
	}
	return taken
}

// owners follows the locks that the threads wait for to those who hold them.
func (tr *tracer) owners(ctx context.Context, stacks map[tx.Key]*jvm.Thread) time.Duration {
	known := map[int64]*jvm.Thread{}
	for _, th := range stacks {
		known[th.ID] = th
	}
	cost := time.Duration(0)
	for range chainDepth {
		var missing []int64
		asked := map[int64]bool{}
		for _, th := range known {
			if id := th.LockOwnerID; id > 0 && known[id] == nil && !asked[id] && len(missing) < stackBudget {
				asked[id] = true
				missing = append(missing, id)
			}
		}
		if len(missing) == 0 {
			break
		}
		look, err := tr.client.Threads(ctx, nil, missing, stackDepth)
		if err != nil {
			tr.log.Debug("looking at the owners of locks", "error", err)
			break
		}
		cost += tr.took(look, len(missing))
		for id, th := range look.Stacks {
			known[id] = th
		}
		if len(look.Stacks) == 0 {
			break
		}
	}
	for key, th := range stacks {
		if chain := chainOf(th, known); len(chain) > 0 {
			tr.tracker.Owners(key, time.Now(), th.Lock, chain)
		}
	}
	return cost
}

// chainOf is who owns the lock that a thread waits for, who owns what that one waits for,
// and so on, until one that waits for no owner, or is in the chain already.
func chainOf(th *jvm.Thread, known map[int64]*jvm.Thread) []jvm.Thread {
	var chain []jvm.Thread
	seen := map[int64]bool{th.ID: true}
	for len(chain) < chainDepth {
		owner := known[th.LockOwnerID]
		if th.LockOwnerID <= 0 || owner == nil {
			break
		}
		chain = append(chain, *owner)
		if seen[owner.ID] {
			break // a deadlock
		}
		seen[owner.ID] = true
		th = owner
	}
	return chain
}

func processors(wanted []tx.Wanted) []string {
	out := make([]string, len(wanted))
	for i, w := range wanted {
		out[i] = w.Key.Processor
	}
	return out
}

func ids(wanted []tx.Wanted) []int64 {
	out := make([]int64, len(wanted))
	for i, w := range wanted {
		out[i] = w.ThreadID
	}
	return out
}
