package jmx

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// maxThreads bounds the threads asked for or taken from one answer.
	maxThreads = 20_000
	// maxFrames bounds the calls taken of one stack.
	maxFrames = 512
	threading = "java.lang:type=Threading"
	// stacksAtOnce is the number of stacks for which the JVM stops all its threads at a
	// time: many short stops instead of a long one.
	stacksAtOnce = 8
)

// ThreadIDs are the ids of all live threads but virtual ones.
func (c *Client) ThreadIDs(ctx context.Context) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	replies, err := c.post(ctx, []request{read(threading, "AllThreadIds")})
	if err != nil {
		return nil, rejection(err)
	}
	if replies[0].err != "" {
		return nil, &Error{ReasonOperation, fmt.Errorf("the threads cannot be read: %s", replies[0].err)}
	}
	return numbers(replies[0].value.get("AllThreadIds")), nil
}

// ThreadLook is what one look at some threads gave.
type ThreadLook struct {
	// At is the moment of the look, half way between asking and being answered.
	At time.Time
	// Took is the time between the two.
	Took time.Duration
	// States are all the threads asked for, by id. Threads that have ended are in neither.
	// The time on a processor and the memory of those in Stacks are as of before their stack.
	States, Stacks map[int64]*jvm.Thread
	// Processors are the request processors asked for, as of after Stacks, by name: those
	// that still exist, with Count, Stage and Thread.
	Processors map[string]jvm.RequestProcessor
	// CPUNs is what answering cost the JVM, the writing of the answer left out.
	CPUNs jvm.Opt[int64]
}

// Threads looks at threads by their ids: at the state alone of some, which stops
// nothing in the JVM, and at the innermost depth calls of others, which stops it
// for some 20 us each, a few of them at a time. The states of both bring the time used on a processor and the
// memory allocated. processors are names of request processors, that tell afterwards
// what the threads were at.
func (c *Client) Threads(ctx context.Context, states, stacks []int64, depth int, processors ...string) (*ThreadLook, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	look := &ThreadLook{States: map[int64]*jvm.Thread{}, Stacks: map[int64]*jvm.Thread{}, Processors: map[string]jvm.RequestProcessor{}}
	all := slices.Concat(states, stacks)
	switch {
	case len(all) == 0:
		return look, nil // an empty list of ids makes some JVMs fail (JDK-8074368)
	case len(all) > maxThreads:
		return nil, &Error{ReasonTooLarge, fmt.Errorf("%d threads are more than are asked for at once, which are %d", len(all), maxThreads)}
	}
	items, firstStacks, firstProcessor := threadItems(states, stacks, depth, processors)
	a := &answer{buffers: c.opts.Buffers}
	defer a.free()
	replies, timing, err := c.timedInto(ctx, a, items)
	if err != nil {
		return nil, rejection(err)
	}
	look.Took = timing.took()
	look.At = timing.sent.Add(look.Took / 2)
	for i := 3; i < firstProcessor; i++ {
		if r := replies[i]; r.err != "" {
			return nil, &Error{ReasonOperation, fmt.Errorf("the threads cannot be read: %s", r.err)}
		}
		into := look.Stacks
		if i < firstStacks {
			into = look.States
		}
		decodeThreadInfos(replies[i].value, into)
	}
	for id, th := range look.Stacks {
		state := *th
		state.Stack = nil
		look.States[id] = &state
	}
	cpu, allocated := usedUp(replies[1], all), usedUp(replies[2], all)
	for id, th := range look.States {
		th.CPUNs, th.AllocatedBytes = cpu[id], allocated[id]
	}
	for i, name := range processors {
		if r := replies[firstProcessor+i]; r.err == "" {
			look.Processors[name] = jvm.RequestProcessor{
				Name: name, Count: count(r.value, "requestCount").Or(-1), Stage: count(r.value, "stage").Or(-1), Thread: text(r.value, "workerThreadName"),
			}
		}
	}
	look.CPUNs = growth(replies[0], replies[len(replies)-1])
	return look, nil
}

// threadItems are what a look at threads asks: what answering has cost so far, what all of
// them have used, the states, the stacks from firstStacks on, the processors from
// firstProcessor on, and what answering has cost in the end.
func threadItems(states, stacks []int64, depth int, processors []string) (items []request, firstStacks, firstProcessor int) {
	all := slices.Concat(states, stacks)
	items = []request{
		read(threading, "CurrentThreadCpuTime"),
		run(opThreadCPU(), all),
		run(opThreadAllocated(), all),
	}
	if len(states) > 0 {
		items = append(items, run(opThreadInfo(), states, 0))
	}
	// What a thread has used comes before its stack: one that moves meanwhile has used
	// more at the next look.
	firstStacks = len(items)
	for some := range slices.Chunk(stacks, stacksAtOnce) {
		items = append(items, run(opThreadInfo(), some, depth))
	}
	firstProcessor = len(items)
	for _, name := range processors {
		items = append(items, read(name, "requestCount", "stage", "workerThreadName"))
	}
	return append(items, read(threading, "CurrentThreadCpuTime")), firstStacks, firstProcessor
}

// usedUp reads one number for each id; -1 stands for a thread that has ended, or
// for a JVM that does not count.
func usedUp(r reply, ids []int64) map[int64]jvm.Opt[int64] {
	if r.value.elements() != len(ids) { // an error has none
		return nil
	}
	out := make(map[int64]jvm.Opt[int64], len(ids))
	for i, id := range ids {
		if n, ok := r.value.at(i).int64(); ok {
			out[id] = jvm.Count(n)
		}
	}
	return out
}

// numbers are those of an array; none of a value that is absent or something else.
func numbers(v value) []int64 {
	out := make([]int64, 0, min(v.elements(), maxThreads))
	for i := range v.elements() {
		if n, ok := v.at(i).int64(); ok && len(out) < maxThreads {
			out = append(out, n)
		}
	}
	return out
}

// decodeThreadInfos reads a list of ThreadInfo, null for threads that have ended.
func decodeThreadInfos(v value, into map[int64]*jvm.Thread) {
	for i := range v.elements() {
		info := v.at(i)
		id, ok := count(info, "threadId").Get()
		if !ok || len(into) >= maxThreads {
			continue
		}
		th := &jvm.Thread{
			ID:            id,
			Name:          text(info, "threadName"),
			State:         jvm.ThreadState(text(info, "threadState")),
			BlockedCount:  count(info, "blockedCount").Or(0),
			WaitedCount:   count(info, "waitedCount").Or(0),
			BlockedMs:     count(info, "blockedTime"),
			WaitedMs:      count(info, "waitedTime"),
			Lock:          text(info, "lockName"),
			LockOwnerID:   count(info, "lockOwnerId").Or(0),
			LockOwnerName: text(info, "lockOwnerName"),
		}
		frames := info.get("stackTrace")
		for k := range min(frames.elements(), maxFrames) {
			f := frames.at(k)
			th.Stack = append(th.Stack, jvm.Frame{
				Class:  text(f, "className"),
				Method: text(f, "methodName"),
				File:   text(f, "fileName"),
				Line:   int(count(f, "lineNumber").Or(0)),
				Native: f.get("nativeMethod").bool(),
			})
		}
		into[id] = th
	}
}
