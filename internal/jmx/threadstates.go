package jmx

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// ThreadStates looks at the threads with the given ids (Details has those of all)
// and for deadlocks. Without stacks the JVM needs no safepoint for the states; the
// deadlocks do.
func (c *Client) ThreadStates(ctx context.Context, ids []int64) (*jvm.ThreadStates, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	states := run(opThreadInfo(), ids, 0)
	states.Path = "*/threadState"
	calls := []request{states, run(opFindDeadlocks()), run(opFindMonitorDeadlocks())}
	replies, err := c.execAll(ctx, calls...)
	if err != nil {
		return nil, fmt.Errorf("thread states: %w", err)
	}
	result := &jvm.ThreadStates{Time: time.Now()}
	enter := []func(value){
		func(v value) { result.Count = countStates(v) },
		func(v value) { result.Deadlocked = length(v) },
		func(v value) { result.DeadlockedMonitor = length(v) },
	}
	for i, r := range replies {
		if r.err != "" {
			result.Missing = append(result.Missing, jvm.Missing{Part: calls[i].part(), Reason: r.err})
			continue
		}
		enter[i](r.value)
	}
	return result, nil
}

// countStates counts a list of states.
func countStates(v value) map[jvm.ThreadState]int64 {
	counts := map[jvm.ThreadState]int64{}
	for i := range v.elements() {
		if s := jvm.ThreadState(v.at(i).text()); slices.Contains(jvm.AllThreadStates(), s) {
			counts[s]++
		}
	}
	return counts
}

// length is that of a list; the JVM says null for none.
func length(v value) jvm.Opt[int64] {
	switch v.kind() {
	case fastjson.TypeNull:
		return jvm.Some[int64](0)
	case fastjson.TypeArray:
		return jvm.Some(int64(v.elements()))
	}
	return jvm.Opt[int64]{}
}
