package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// recordSelf keeps the sidecar's own metrics in the embedded store, if there is one, until
// ctx ends: rules and dashboards ask for them there. Those of a target do not belong in
// metrics: they are not kept, and a thousand targets have many.
func recordSelf(ctx context.Context, s *store.Store, every time.Duration, instance string, metrics func(io.Writer)) {
	if s == nil {
		return
	}
	labels := []series.Label{{Name: "job", Value: "apm-sidecar"}, {Name: "instance", Value: instance}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			var text bytes.Buffer
			metrics(&text)
			// A store that takes nothing says so by itself: its disk is full.
			_ = s.WriteText(text.String(), labels, now)
		}
	}
}
