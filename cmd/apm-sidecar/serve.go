package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// gatherTime is how long samples wait for others before they are packed: targets are
// polled together, and what they say goes out together.
const gatherTime = 100 * time.Millisecond

// serve builds the parts back to front, runs them until ctx ends or one fails,
// and stops them front to back: first whatever makes samples, then whatever
// carries and shows them, at last the store.
func serve(ctx context.Context, env environment, s *settings, c config.Config) (err error) {
	log := env.logger()
	p := &parts{env: env}
	dest, err := openDestinations(env, c, &destinations{})
	if err != nil {
		return err
	}
	p.dest.Store(dest)
	defer func() { err = errors.Join(err, p.dest.Load().close(&destinations{})) }()

	memory := &series.Memory{}
	p.pusher, err = push.Open(push.Options{
		Dir:          filepath.Join(c.DataDir, "queue"),
		Destinations: dest.list,
		MaxBytes:     int64(c.Store.Queue),
		MinFreeBytes: int64(c.Store.MinFreeDisk) / 2, // the store stops before the queue does
		Gather:       gatherTime,
		Memory:       memory,
		Logger:       log,
	})
	if err != nil {
		return dataDirError(c, err)
	}
	defer func() { err = errors.Join(err, p.pusher.Close()) }()

	p.watch, err = newSuccession(watchingSettings(c), func(c config.Config) (*watching, error) {
		return openWatching(env, c, p.pusher, memory)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.watch.Close()) }()
	p.steer = newSteering(env, s, c, func() *agent.Agent { return p.watching().agent }, p.apply)

	p.server, err = newServer(env, c, p.show(c, dest)) // alerts link to the port that it gets
	if err != nil {
		return err
	}
	p.alerts, err = newSuccession(alertingSettingsOf(c, dest.store, p.server.Addr()), func(s alertingSettings) (rules, error) {
		return openRules(env, s)
	})
	if err != nil {
		return errors.Join(err, p.server.Close())
	}
	return p.run(ctx)
}

// newAgent builds the agent, without targets yet. The sink gives the memory of samples back.
func newAgent(env environment, c config.Config, sink agent.Sink, memory *series.Memory, follow *agent.TracingOptions) (*agent.Agent, error) {
	capture, err := newCapture(env, c.Capture)
	if err != nil {
		return nil, err
	}
	naming, err := series.ParseNaming(c.Naming)
	if err != nil {
		return nil, usageError{err}
	}
	buffers := jmx.NewBuffers()
	opts := agent.Options{
		Connect: func(t jvm.Target) agent.Watched {
			if t.TLS.InsecureSkipVerify {
				env.logger().Warn("whoever answers in the target's place gets its credentials: its certificate is not checked (insecure_skip_verify)", "target", t.Name())
			}
			client := jmx.New(t, jmx.Options{Timeout: t.Timeout, Buffers: buffers})
			return agent.Watched{Target: t, Client: client, Requests: client, Close: client.Close}
		},
		Interval:     time.Duration(c.Interval),
		SlowInterval: time.Duration(c.SlowInterval),
		Naming:       naming,
		Host:         host.Local(),
		Evidence:     agent.EvidenceOptions{Directory: filepath.Join(c.DataDir, "evidence"), MaxPause: time.Duration(c.Evidence.MaxPause)},
		Sink:         sink,
		Memory:       memory,
		Capture:      capture,
		Trigger: agent.TriggerOptions{
			OldAfterGCRatio: c.Capture.OldAfterGCRatio,
			CoolDown:        time.Duration(c.Capture.CoolDown),
		},
		Tracing: follow,
		Asking:  buffers.Asking,
		Logger:  env.logger(),
	}
	return agent.New(opts), nil
}

// newCapture is nil where heap dumps are not wanted.
func newCapture(env environment, c config.Capture) (*agent.Capture, error) {
	if !c.Enabled() {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to run it again for the analysis: %w", err)
	}
	return agent.NewCapture(agent.CaptureOptions{
		Directory:        c.Directory,
		JVMDirectory:     c.JVMDirectory,
		Live:             c.Live,
		KeepDumps:        int(c.KeepDumps),
		Analyser:         []string{self, analyzeCommand},
		MemoryLimitBytes: agent.AnalysisMemoryBytes(),
		Stdout:           env.stdout,
		Logger:           env.logger(),
	})
}
