package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
)

// SpanOptions steer what becomes of spans. The zero value takes and sends none.
type SpanOptions struct {
	// Window has the spans that came and are not joined yet; nil where none are taken.
	Window *spans.Window
	// Send hands spans to a backend and never waits; nil sends none. SendRecords has slow
	// transactions sent as spans, SendSlow the spans of slow requests that came.
	Send                  func([]otlp.Group)
	SendRecords, SendSlow bool
}

// spanDesk is where records and spans meet. Its methods do nothing on nil.
type spanDesk struct {
	opts    SpanOptions
	records *ring.Ring
}

func newSpanDesk(o TracingOptions) *spanDesk { return &spanDesk{o.Spans, o.Records} }

// record takes a record that was kept.
func (d *spanDesk) record(rec *tx.Record, now time.Time) {
	switch {
	case d.opts.Window != nil:
		d.opts.Window.Record(rec, now)
	case rec.State != tx.StateActive:
		d.send(rec)
	}
}

// send sends records as spans, where that is wanted.
func (d *spanDesk) send(records ...*tx.Record) {
	if d.opts.Send == nil || !d.opts.SendRecords {
		return
	}
	for _, rec := range records {
		d.opts.Send(spans.Exported(rec))
	}
}

// flush sends the records that still wait for spans.
func (d *spanDesk) flush() {
	if d != nil && d.opts.Window != nil {
		d.send(d.opts.Window.Flush()...)
	}
}

// joinEvery is the time between two steps of joining.
const joinEvery = time.Second

// joinSpans joins spans and records until ctx ends.
func (a *Agent) joinSpans(ctx context.Context) {
	d := a.spans
	if d == nil || d.opts.Window == nil {
		return
	}
	tick := time.NewTicker(joinEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.joinStep(now)
		}
	}
}

func (a *Agent) joinStep(now time.Time) {
	d := a.spans
	tracers := a.tracers()
	targets := make([]spans.Target, 0, len(tracers))
	for _, tr := range tracers {
		t := spans.Target{Name: tr.target.Name(), Instance: tr.target.Instance}
		if vm := tr.vm.Load(); vm != nil {
			t.Process = *vm
		}
		targets = append(targets, t)
	}
	out := d.opts.Window.Step(now, targets, func(target string) []tx.Active {
		for _, tr := range tracers {
			if tr.target.Name() == target {
				return tr.tracker.Active(now)
			}
		}
		return nil
	})
	for _, rec := range out.Keep {
		if err := d.records.Add(rec); err != nil {
			a.opts.Logger.Warn("a record keeps no spans", slog.String("target", rec.Target), slog.Any("error", err))
		}
	}
	d.send(out.Done...)
	if d.opts.Send != nil && d.opts.SendSlow && len(out.Slow) > 0 {
		d.opts.Send(out.Slow)
	}
}

// writeMetrics writes what became of spans.
func (d *spanDesk) writeMetrics(w io.Writer) {
	if d == nil || d.opts.Window == nil {
		return
	}
	s := d.opts.Window.Stats()
	metrics.WriteGaugeUint64(w, "apm_sidecar_spans_waiting", uint64(s.Waiting))
	metrics.WriteGaugeUint64(w, "apm_sidecar_spans_waiting_bytes", uint64(s.WaitingBytes))
	metrics.WriteCounterUint64(w, `apm_sidecar_span_traces_total{result="joined"}`, uint64(s.Joined))
	metrics.WriteCounterUint64(w, `apm_sidecar_span_traces_total{result="own_record"}`, uint64(s.Own))
	metrics.WriteCounterUint64(w, `apm_sidecar_span_traces_total{result="ambiguous"}`, uint64(s.Ambiguous))
	for _, dropped := range []struct {
		reason string
		n      int64
	}{
		{"quick", s.Quick}, {"expired", s.Expired}, {"evicted", s.Evicted}, {"trace_too_big", s.TooBig}, {"full", s.Refused}, {"repeated", s.Repeated},
		{"no_target", s.Homeless}, {"no_request", s.Other}, {"ambiguous", s.Unjoined},
	} {
		metrics.WriteCounterUint64(w, fmt.Sprintf("apm_sidecar_spans_dropped_total{reason=%q}", dropped.reason), uint64(dropped.n))
	}
}
