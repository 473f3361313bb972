package main

import (
	"context"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// showProgress prints every few seconds how full the heap is, as the sidecar's
// store knows it. The function returned ends it and waits for its end.
func showProgress(ctx context.Context, p *printer, sidecar *harness.Sidecar) func() {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				printHeap(ctx, p, sidecar)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// printHeap prints one line; samples that are not there yet show as a dash.
func printHeap(ctx context.Context, p *printer, sidecar *harness.Sidecar) {
	show := func(expression string, format func(float64) string) string {
		values, err := sidecar.Query(ctx, expression)
		if err != nil || len(values) == 0 {
			return "-"
		}
		return format(values[0])
	}
	size := func(value float64) string { return unit.Bytes(int64(value)) }
	count := func(value float64) string { return unit.Count(int64(value)) }
	used := show(`sum(jvm_memory_pool_used_bytes{kind="old"})`, size)
	limit := show(`sum(jvm_memory_pool_max_bytes{kind="old"})`, size)
	pending := show(`sum(jvm_memory_objects_pending_finalization)`, count)
	if ctx.Err() == nil {
		p.step("old region %s of %s, objects pending finalization: %s", used, limit, pending)
	}
}
