package main

import (
	"github.com/spf13/pflag"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

// settings are the flags that make up a configuration.
type settings struct {
	flags  *pflag.FlagSet
	config string
	values config.Config
	// targets and remoteWrite replace those of the file as a whole.
	targets, remoteWrite []string
}

// addSettings defines the flags. Their defaults are the configuration's.
func addSettings(flags *pflag.FlagSet) *settings {
	s := &settings{flags: flags, values: config.Default()}
	flags.StringVar(&s.config, "config", "", "configuration `file` (YAML)")
	flags.StringArrayVar(&s.targets, "target", nil, "`URL` of a Jolokia agent; may be repeated; replaces the file's targets")
	flags.Var(&s.values.Interval, "interval", "time between two polls of a target")
	flags.StringVar(&s.values.Listen, "listen", s.values.Listen, "`host:port` of the sidecar's pages, port 0 for a free one")
	flags.StringVar(&s.values.DataDir, "data-dir", s.values.DataDir, "`folder` of the embedded store and of samples under way")
	flags.StringArrayVar(&s.remoteWrite, "remote-write", nil, "`URL` of a remote-write receiver; may be repeated; replaces the embedded store, its query API and vmui, unless --embedded")
	flags.Var(&s.values.Shard, "shard", "the part of all targets that this sidecar watches: 1/3, 2/3 or 3/3")
	flags.Var(&s.values.Retention, "retention", "how long the embedded store keeps samples")
	flags.Var(&s.values.Store.Memory, "store-memory", "bound of the embedded store's caches")
	flags.BoolVar(&s.values.Embedded, "embedded", false, "keep the embedded store beside the remote-write receivers")
	flags.BoolVar(&s.values.Web.Open, "web-open", false, "let everyone see the pages who reaches the address, beyond loopback too and under any name")
	return s
}

// fileName is the configuration file, empty without one.
func (s *settings) fileName(getenv func(string) string) string {
	if s.config != "" {
		return s.config
	}
	return getenv(config.EnvConfig)
}

// load puts flags over environment over file over defaults and validates.
func (s *settings) load(getenv func(string) string) (config.Config, error) {
	c := config.Default()
	if file := s.fileName(getenv); file != "" {
		var err error
		if c, err = config.Load(file, getenv); err != nil {
			return config.Config{}, usageError{configurationError{err}}
		}
	}
	if err := c.ApplyEnv(getenv); err != nil {
		return config.Config{}, usageError{err}
	}
	if s.flags.Changed("target") {
		c.SetTargets(s.targets)
	}
	if s.flags.Changed("interval") {
		c.Interval = s.values.Interval
	}
	if s.flags.Changed("listen") {
		c.Listen = s.values.Listen
	}
	if s.flags.Changed("data-dir") {
		c.DataDir = s.values.DataDir
	}
	if s.flags.Changed("remote-write") {
		c.SetRemoteWrite(s.remoteWrite)
	}
	if s.flags.Changed("shard") {
		c.Shard = s.values.Shard
	}
	if s.flags.Changed("retention") {
		c.Retention = s.values.Retention
	}
	if s.flags.Changed("store-memory") {
		c.Store.Memory = s.values.Store.Memory
	}
	if s.flags.Changed("embedded") {
		c.Embedded = s.values.Embedded
	}
	if s.flags.Changed("web-open") {
		c.Web.Open = s.values.Web.Open
	}
	if err := c.Validate(); err != nil {
		return config.Config{}, usageError{configurationError{err}}
	}
	return c, nil
}
