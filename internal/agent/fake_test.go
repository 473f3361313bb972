package agent_test

import (
	"context"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// fakeClient is a JVM under a test's control. Nil functions answer well.
type fakeClient struct {
	poll       func(ctx context.Context) (*jvm.Snapshot, error)
	details    func(ctx context.Context) (*jvm.Details, error)
	states     func(ctx context.Context, ids []int64) (*jvm.ThreadStates, error)
	queue      func(ctx context.Context) (*jvm.FinalizerQueue, error)
	finalizer  func(ctx context.Context) (*jvm.FinalizerThread, error)
	registered func(ctx context.Context) (*jvm.RegisteredFinalizers, error)
	histogram  func(ctx context.Context) (*jvm.ClassHistogram, error)
	direct     func(ctx context.Context) (int64, error)
	dump       func(ctx context.Context, file string, live bool) error
}

var _ agent.Client = (*fakeClient)(nil)

func (f *fakeClient) Poll(ctx context.Context) (*jvm.Snapshot, error) {
	if f.poll == nil {
		return healthy(), nil
	}
	return f.poll(ctx)
}

func (f *fakeClient) Details(ctx context.Context) (*jvm.Details, error) {
	if f.details == nil {
		return &jvm.Details{Time: time.Now(), ThreadIDs: []int64{1, 2, 3}, Processors: jvm.Some[int64](2)}, nil
	}
	return f.details(ctx)
}

func (f *fakeClient) ThreadStates(ctx context.Context, ids []int64) (*jvm.ThreadStates, error) {
	if f.states == nil {
		return &jvm.ThreadStates{Time: time.Now(), Count: map[jvm.ThreadState]int64{"RUNNABLE": int64(len(ids))}}, nil
	}
	return f.states(ctx, ids)
}

func (f *fakeClient) FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error) {
	if f.queue == nil {
		return &jvm.FinalizerQueue{}, nil
	}
	return f.queue(ctx)
}

func (f *fakeClient) FinalizerThread(ctx context.Context, _ []int64) (*jvm.FinalizerThread, error) {
	if f.finalizer == nil {
		return &jvm.FinalizerThread{Time: time.Now(), Thread: jvm.Thread{ID: 3, Name: "Finalizer", State: "WAITING"}}, nil
	}
	return f.finalizer(ctx)
}

func (f *fakeClient) RegisteredFinalizers(ctx context.Context) (*jvm.RegisteredFinalizers, error) {
	if f.registered == nil {
		return nil, nil
	}
	return f.registered(ctx)
}

func (f *fakeClient) MaxDirectMemory(ctx context.Context) (int64, error) {
	if f.direct == nil {
		return 0, nil
	}
	return f.direct(ctx)
}

func (f *fakeClient) ClassHistogram(ctx context.Context) (*jvm.ClassHistogram, error) {
	if f.histogram == nil {
		return &jvm.ClassHistogram{Time: time.Now()}, nil
	}
	return f.histogram(ctx)
}

func (f *fakeClient) DumpHeap(ctx context.Context, file string, live bool) error {
	return f.dump(ctx, file, live)
}

// healthy is a snapshot of now.
func healthy() *jvm.Snapshot {
	return &jvm.Snapshot{Time: time.Now(), Runtime: &jvm.Runtime{StartMs: jvm.Some[int64](1)}, Threads: &jvm.Threads{Current: jvm.Some[int64](3)}}
}

// filled is a snapshot whose old region is in use to the given share after its
// last collection.
func filled(share float64) *jvm.Snapshot {
	s := healthy()
	after := jvm.Usage{Used: jvm.Count(int64(share * 1000)), Max: jvm.Some[int64](1000)}
	s.Pools = []jvm.Pool{{Name: "Tenured Gen", Heap: true, Kind: jvm.PoolOld, AfterGC: &after}}
	s.Memory = &jvm.Memory{Heap: jvm.Usage{Used: jvm.Some[int64](1000)}}
	return s
}

// sink keeps samples.
type sink struct {
	mu      sync.Mutex
	samples []series.Sample
	err     error
}

func (s *sink) Append(samples []series.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, samples...)
	return s.err
}

// values are the values of a metric of the instance, in order of arrival, without
// staleness markers.
func (s *sink) values(name, instance string) []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []float64
	for _, sample := range s.samples {
		for _, l := range sample.AllLabels() {
			if sample.Name == name && l.Name == "instance" && l.Value == instance && !series.IsStale(sample.Value) {
				out = append(out, sample.Value)
			}
		}
	}
	return out
}
