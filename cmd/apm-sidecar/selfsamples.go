package main

import (
	"bytes"
	"io"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// writeSelf puts the sidecar's own metrics into the embedded store: rules and dashboards
// ask for them there. Those of a target do not belong in metrics: they are not kept, and
// a thousand targets have many.
func writeSelf(s *store.Store, instance string, metrics func(io.Writer), now time.Time) {
	labels := []series.Label{{Name: "job", Value: "apm-sidecar"}, {Name: "instance", Value: instance}}
	var text bytes.Buffer
	metrics(&text)
	// A store that takes nothing says so by itself: its disk is full.
	_ = s.WriteText(text.String(), labels, now)
}
