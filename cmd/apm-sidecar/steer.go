package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/discover"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// watchInterval is how often the configuration file is looked at.
const watchInterval = 5 * time.Second

// steering keeps the agent's targets those of the configuration, which may change
// while it runs, and of discovery.
type steering struct {
	watch *agent.Agent
	log   *slog.Logger
	// load reads the configuration again; file is where it is, empty for none.
	load func() (config.Config, error)
	file string
	// asked takes requests to reload, each a channel for the answer.
	asked chan chan error

	// mu guards the rest, which Run alone changes.
	mu      sync.Mutex
	current config.Config
	finder  *finder
	// applied is when the configuration was last taken over, failed that the last
	// attempt was not.
	applied time.Time
	failed  bool
	// clashes are the names of targets that others have already.
	clashes int
}

// finder is a discoverer at work.
type finder struct {
	*discover.Discoverer
	stop context.CancelFunc
	done chan struct{}
}

// newSteering gives the agent its first targets.
func newSteering(env environment, s *settings, c config.Config, watch *agent.Agent) *steering {
	st := &steering{
		watch: watch, log: env.logger(), current: c, applied: time.Now(),
		load:  func() (config.Config, error) { return s.load(env.getenv) },
		file:  s.fileName(env.getenv),
		asked: make(chan chan error),
	}
	st.follow()
	return st
}

// Run looks for changes until ctx ends: SIGHUP, another content of the file, and
// what discovery finds.
func (s *steering) Run(ctx context.Context) error {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	s.mu.Lock()
	err := s.find(ctx)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() { s.finder.end() }()
	content := s.content()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangUp:
			content = s.content()
			s.reloadAndSay(ctx)
		case <-tick.C:
			if now := s.content(); !bytes.Equal(now, content) {
				content = now
				s.reloadAndSay(ctx)
			}
		case answer := <-s.asked:
			content = s.content()
			answer <- s.reload(ctx)
		case <-s.finder.Changed():
			s.mu.Lock()
			s.follow()
			s.mu.Unlock()
		}
	}
}

// Reload has Run take the configuration over as it is now.
func (s *steering) Reload(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.asked <- answer:
		return <-answer
	case <-ctx.Done():
		return errors.New("the sidecar is ending")
	}
}

// content is that of the configuration file, nil without one.
func (s *steering) content() []byte {
	if s.file == "" {
		return nil
	}
	content, err := os.ReadFile(s.file)
	if err != nil {
		return nil
	}
	return content
}

// reloadAndSay reloads and logs how it went.
func (s *steering) reloadAndSay(ctx context.Context) {
	if err := s.reload(ctx); err != nil {
		s.log.Error("the new configuration is not taken over, the last good one stays", slog.Any("error", err))
	}
}

// reload takes the configuration over as it is now; on an error everything stays.
func (s *steering) reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.load()
	s.failed = err != nil
	if err != nil {
		return err
	}
	if names := s.current.NeedsRestart(next); len(names) > 0 {
		s.log.Warn("these changes take effect at the next start", slog.Any("fields", names))
	}
	same := s.current.SameDiscovery(next)
	if same {
		next.Discovery = s.current.Discovery // the one that is at work
	}
	s.current, s.applied = next, time.Now()
	s.log.Info("configuration taken over", slog.Int("targets", len(next.Targets)), slog.Int("discovery_jobs", len(next.Discovery)))
	if same {
		s.follow()
		return nil
	}
	old := s.finder
	if err := s.find(ctx); err != nil {
		return err
	}
	old.end()
	return nil
}

// find begins discovery as configured; mu is held.
func (s *steering) find(ctx context.Context) error {
	d, err := discover.New(s.current.Discovery, s.log)
	if err != nil {
		return err
	}
	f := &finder{Discoverer: d, done: make(chan struct{})}
	own, stop := context.WithCancel(ctx)
	f.stop = stop
	go func() {
		defer close(f.done)
		// It ends with its context, without an error.
		_ = d.Run(own)
	}()
	s.finder = f
	if len(s.current.Discovery) == 0 {
		s.follow()
	}
	return nil
}

func (f *finder) end() {
	f.stop()
	<-f.done
}

// follow hands the targets of the moment to the agent. Names are unique: of two
// targets with one name the first stays. mu is held, or nobody else is there yet.
func (s *steering) follow() {
	targets, err := s.current.JVMs()
	if err != nil { // it was validated
		s.log.Error("targets", slog.Any("error", err))
		return
	}
	if s.finder != nil {
		if !s.finder.Settled() {
			return // it says so when it is
		}
		targets = append(targets, s.finder.Targets()...)
	}
	s.clashes = 0
	seen := map[string]bool{}
	var chosen []jvm.Target
	for _, t := range targets {
		switch {
		case !s.current.Shard.Has(t):
		case seen[t.Name()]:
			s.clashes++
			s.log.Warn("two targets have one name, the second is left out", slog.String("target", t.Name()), slog.String("url", t.URL))
		default:
			seen[t.Name()] = true
			if t.Interval == 0 {
				t.Interval = time.Duration(s.current.Interval)
			}
			chosen = append(chosen, t)
		}
	}
	s.watch.Follow(chosen)
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (s *steering) WriteMetrics(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := 1
	if s.failed {
		ok = 0
	}
	// A failed write is the scraper's own doing.
	_, _ = fmt.Fprintf(w, "apm_sidecar_targets %d\napm_sidecar_target_name_clashes %d\napm_sidecar_config_reload_success %d\napm_sidecar_config_last_reload_success_timestamp_seconds %d\n",
		len(s.watch.Targets()), s.clashes, ok, s.applied.Unix())
	if s.finder != nil {
		s.finder.WriteMetrics(w)
	}
}
