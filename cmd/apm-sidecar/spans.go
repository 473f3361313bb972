package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// spanTraffic is the receiver of spans and the way to the backend that gets them; each
// may be nil.
type spanTraffic struct {
	options  agent.SpanOptions
	receiver *otlp.Receiver
	server   *web.Server
	exporter *otlp.Exporter
}

// newSpanTraffic binds the address of the receiver where there is one.
func newSpanTraffic(env environment, c config.Transactions) (*spanTraffic, error) {
	s := &spanTraffic{}
	log := env.logger()
	if !c.Enabled {
		return s, nil
	}
	if url := c.Spans.Export.URL; url != "" {
		client, err := authOf(c.Spans.Export.Receiver()).Client()
		if err != nil {
			return nil, usagef("transactions.spans.export: %w", err)
		}
		s.exporter = otlp.NewExporter(otlp.ExporterOptions{URL: url, Client: client, Timeout: time.Duration(c.Spans.Export.Timeout), Logger: log})
		s.options.Send, s.options.SendRecords = s.exporter.Send, c.Spans.Export.Records
		s.options.SendSlow = c.Spans.Export.Received == config.ReceivedSlow
	}
	if c.Spans.Listen == "" {
		return s, nil
	}
	s.options.Window = spans.New(spans.Options{
		Thresholds: thresholds(c), Interval: time.Duration(c.Interval), Services: c.Spans.Services, MaxBytes: int(c.Spans.MaxMemory),
	})
	sink := otlp.Sink(s.options.Window)
	if s.exporter != nil && c.Spans.Export.Received == config.ReceivedAll {
		sink = both{s.options.Window, s.exporter}
	}
	s.receiver = otlp.NewReceiver(otlp.ReceiverOptions{Limits: otlp.DefaultLimits(), Sink: sink, TokenFile: c.Spans.BearerTokenFile})
	var err error
	s.server, err = web.Bind(web.Binding{
		Listen: c.Spans.Listen, CertFile: c.Spans.CertFile, KeyFile: c.Spans.KeyFile, Handler: s.receiver, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("receiver of spans (transactions.spans.listen): %w", err)
	}
	log.Info("spans are taken", "addr", s.server.Addr())
	return s, nil
}

// both has all spans that the window takes sent on.
type both struct {
	window   *spans.Window
	exporter *otlp.Exporter
}

// Take implements otlp.Sink.
func (b both) Take(groups []otlp.Group, now time.Time) error {
	if err := b.window.Take(groups, now); err != nil {
		return err
	}
	b.exporter.Send(groups)
	return nil
}

// Run takes and sends spans until ctx ends.
func (s *spanTraffic) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if s.server != nil {
		g.Go(func() error { return s.server.Run(ctx) })
	}
	if s.exporter != nil {
		g.Go(func() error { return s.exporter.Run(ctx) })
	}
	return g.Wait()
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (s *spanTraffic) WriteMetrics(w io.Writer) {
	if s.receiver != nil {
		s.receiver.WriteMetrics(w)
	}
	if s.exporter != nil {
		s.exporter.WriteMetrics(w)
	}
}
