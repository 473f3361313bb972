package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// watchInterval is how often the configuration file is looked at.
const watchInterval = 5 * time.Second

// steering keeps the agent's targets those of the configuration, which may change
// while it runs, and of discovery.
type steering struct {
	watch func() *agent.Agent
	log   *slog.Logger
	// load reads the configuration again, where hangUp asks for it, or file changes; file is
	// where it is, empty for none.
	load   func() (config.Config, error)
	file   string
	hangUp <-chan os.Signal
	// apply has everything but the targets follow a new configuration.
	apply func(ctx context.Context, old, next config.Config) error
	// asked takes requests to reload, each a channel for the answer.
	asked chan chan error
	// ended is closed when Run has ended.
	ended chan struct{}

	// mu guards the rest, which Run alone changes.
	mu      sync.Mutex
	current config.Config
	finder  *finder
	// applied is when the configuration was last taken over, refused why the last attempt
	// failed, needRestart what of it waits for the next start.
	applied     time.Time
	refused     error
	needRestart []string
	// clashes are the names of targets that others have already.
	clashes int
}

// newSteering gives the agent its first targets.
func newSteering(env environment, s *settings, c config.Config, watch func() *agent.Agent,
	apply func(ctx context.Context, old, next config.Config) error,
) *steering {
	st := &steering{
		watch: watch, log: env.logger(), apply: apply, current: c, applied: time.Now(),
		load: func() (config.Config, error) { return s.load(env.getenv) },
		file: s.fileName(env.getenv), hangUp: env.hangUp,
		asked: make(chan chan error), ended: make(chan struct{}),
	}
	st.follow()
	return st
}

// Run looks for changes until ctx ends: SIGHUP, another content of the file, and
// what discovery finds.
func (s *steering) Run(ctx context.Context) error {
	defer close(s.ended)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	f, err := newFinder(ctx, s.current.Discovery, s.log)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.finder = f
	s.mu.Unlock()
	defer func() { s.finder.end() }()
	file := configFile{name: s.file}
	file.take()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hangUp:
			file.take()
			s.reloadAndSay(ctx)
		case <-tick.C:
			if file.changed() {
				s.reloadAndSay(ctx)
			}
		case answer := <-s.asked:
			file.take()
			answer <- s.reload(ctx)
		case <-s.finder.Changed():
			s.mu.Lock()
			s.follow()
			s.mu.Unlock()
		}
	}
}

// Reload has Run take the configuration over as it is now.
func (s *steering) Reload() error {
	answer := make(chan error, 1)
	select {
	case s.asked <- answer:
		return <-answer
	case <-s.ended:
		return errors.New("the sidecar is ending")
	}
}

// reloadAndSay reloads and logs how it went.
func (s *steering) reloadAndSay(ctx context.Context) {
	if err := s.reload(ctx); err != nil {
		s.log.Error("the new configuration is not taken over, the last good one stays", slog.Any("error", err))
	}
}

// reload takes the configuration over as it is now; on an error everything stays.
func (s *steering) reload(ctx context.Context) error {
	err := s.takeOver(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	return err
}

func (s *steering) takeOver(ctx context.Context) error {
	next, err := s.load()
	if err != nil {
		return err
	}
	next, needRestart := s.current.Reloaded(next)
	same := s.current.SameDiscovery(next)
	if same {
		next.Discovery = s.current.Discovery // the one that is at work
	}
	f := s.finder
	if !same {
		if f, err = newFinder(ctx, next.Discovery, s.log); err != nil {
			return err
		}
	}
	if err := s.apply(ctx, s.current, next); err != nil {
		if !same {
			f.end()
		}
		s.mu.Lock()
		s.follow() // there may be another agent by the old settings
		s.mu.Unlock()
		return err
	}
	old := s.finder
	s.mu.Lock()
	s.current, s.applied, s.finder, s.needRestart = next, time.Now(), f, needRestart
	s.follow()
	s.mu.Unlock()
	if !same {
		old.end()
	}
	s.log.Info("configuration taken over", slog.Int("targets", len(next.Targets)), slog.Int("discovery_jobs", len(next.Discovery)), slog.Int("receivers", len(next.RemoteWrite)))
	if len(needRestart) > 0 {
		s.log.Warn("these changes take effect at the next start", slog.Any("fields", needRestart))
	}
	return nil
}

// config is the one that is at work.
func (s *steering) config() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// notes are what the pages say of the configuration and of discovery.
func (s *steering) notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var notes []string
	if s.refused != nil {
		notes = append(notes, "The configuration has changed and is refused, the last good one of "+s.applied.Format(time.DateTime)+" stays: "+s.refused.Error())
	}
	if len(s.needRestart) > 0 {
		notes = append(notes, "Changes of these settings take effect at the next start: "+strings.Join(s.needRestart, ", "))
	}
	if s.finder != nil {
		notes = append(notes, s.finder.Troubles()...)
	}
	return notes
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
	s.watch().Follow(chosen)
}

// WriteMetrics writes the self metrics in Prometheus' text form. Who reads them slowly holds up no change.
func (s *steering) WriteMetrics(w io.Writer) {
	var text bytes.Buffer
	s.writeMetrics(&text)
	// A failed write is the scraper's own doing.
	_, _ = w.Write(text.Bytes())
}

func (s *steering) writeMetrics(text *bytes.Buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := 1
	if s.refused != nil {
		ok = 0
	}
	fmt.Fprintf(text, "apm_sidecar_targets %d\napm_sidecar_target_name_clashes %d\napm_sidecar_config_reload_success %d\napm_sidecar_config_last_reload_success_timestamp_seconds %d\n",
		len(s.watch().Targets()), s.clashes, ok, s.applied.Unix())
	if s.finder != nil {
		s.finder.WriteMetrics(text)
	}
}
