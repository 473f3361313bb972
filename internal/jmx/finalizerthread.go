package jmx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// errNoFinalizerThread says that the JVM has none that could be found.
var errNoFinalizerThread = errors.New("no thread is called Finalizer")

const (
	// oldestThreads is among how many of the oldest threads the Finalizer is looked
	// for. The JVM starts it before the application.
	oldestThreads = 64
	// finalizerDepth bounds the calls asked of its stack.
	finalizerDepth = 48
)

// FinalizerThread looks at the thread that runs finalize() and, where it waits for
// a lock, at the thread that holds it. Ids are those of all threads, among which
// the Finalizer is found once.
func (c *Client) FinalizerThread(ctx context.Context, ids []int64) (*jvm.FinalizerThread, error) {
	f, err := c.finalizer(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("finalizer thread: %w", err)
	}
	if owner := f.Thread.LockOwnerID; owner > 0 {
		look, err := c.Threads(ctx, nil, []int64{owner}, finalizerDepth)
		if err != nil {
			return nil, fmt.Errorf("owner of the finalizer thread's lock: %w", err)
		}
		f.Owner = look.Stacks[owner]
	}
	return f, nil
}

// finalizer looks at the thread that was the Finalizer last time, else looks for
// it: another JVM may have taken the place of the one that answered then.
func (c *Client) finalizer(ctx context.Context, ids []int64) (*jvm.FinalizerThread, error) {
	if c.finalizerID != 0 {
		look, err := c.Threads(ctx, nil, []int64{c.finalizerID}, finalizerDepth)
		if err != nil {
			return nil, err
		}
		if t := look.Stacks[c.finalizerID]; t != nil && isFinalizer(t.Name) {
			return &jvm.FinalizerThread{Time: look.At, Thread: *t}, nil
		}
	}
	oldest := slices.Sorted(slices.Values(ids))
	look, err := c.Threads(ctx, oldest[:min(len(oldest), oldestThreads)], nil, 0)
	if err != nil {
		return nil, err
	}
	for id, t := range look.States {
		if !isFinalizer(t.Name) {
			continue
		}
		look, err := c.Threads(ctx, nil, []int64{id}, finalizerDepth)
		if err != nil {
			return nil, err
		}
		if t := look.Stacks[id]; t != nil {
			c.finalizerID = id
			return &jvm.FinalizerThread{Time: look.At, Thread: *t}, nil
		}
	}
	return nil, errNoFinalizerThread
}

// isFinalizer knows the thread's name on HotSpot and on OpenJ9.
func isFinalizer(name string) bool { return name == "Finalizer" || name == "Finalizer thread" }
