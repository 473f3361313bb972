// Package config is the sidecar's configuration: a YAML file, environment
// variables and flags, each overriding the one before, over defaults.
package config

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/discover"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Config is everything a run needs to know. Its YAML names are the documented
// ones; unknown names are errors.
type Config struct {
	// Targets are the JVMs to watch, beside those that Discovery finds.
	Targets []Target `yaml:"targets"`
	// Discovery finds targets and keeps finding them.
	Discovery []discover.Job `yaml:"discovery"`
	// Shard is the part of all targets that this sidecar watches.
	Shard discover.Shard `yaml:"shard"`
	// Interval is the time between two polls of a target.
	Interval Duration `yaml:"interval"`
	// SlowInterval is the time between two looks at what changes slowly or costs the
	// JVM more: classes, buffers, thread states, deadlocks.
	SlowInterval Duration `yaml:"slow_interval"`
	// Naming is the profile of metric names: prometheus (client_java) or otel
	// (OpenTelemetry's semantic conventions).
	Naming string `yaml:"naming"`
	// Evidence steers what is asked of a JVM whose old region fills.
	Evidence Evidence `yaml:"evidence"`
	// Listen is the host:port of the sidecar's own pages.
	Listen string `yaml:"listen"`
	// DataDir holds the embedded store and the queues of samples under way.
	DataDir string `yaml:"data_dir"`
	// Retention is how long the embedded store keeps samples.
	Retention Duration `yaml:"retention"`
	// Store bounds the embedded store and what waits on the disk.
	Store Store `yaml:"store"`
	// RemoteWrite are the receivers of samples. With any, they replace the
	// embedded store, and the sidecar serves no query API and no vmui, unless
	// Embedded keeps it beside them.
	RemoteWrite []RemoteWrite `yaml:"remote_write"`
	Embedded    bool          `yaml:"embedded"`
	// Web guards the sidecar's pages.
	Web Web `yaml:"web"`
	// Capture steers heap dumps; off without a directory.
	Capture Capture `yaml:"capture"`
	// Transactions steers the following of requests in flight.
	Transactions Transactions `yaml:"transactions"`
	// Databases are asked for the statements that slow transactions wait for.
	Databases []Database `yaml:"databases"`
	// Alerting steers the rules on the embedded store.
	Alerting Alerting `yaml:"alerting"`
}

// Store bounds what the sidecar keeps on its own disk and in memory.
type Store struct {
	// Memory bounds the caches of the embedded store.
	Memory Bytes `yaml:"memory"`
	// Queue bounds the files of samples that wait for one receiver.
	Queue Bytes `yaml:"queue"`
	// MinFreeDisk is the free space below which the embedded store takes no more
	// samples; they wait in the queue, which stops growing at half of it. An eighth of
	// it is set aside on the disk for what the store has in memory when the disk is full.
	MinFreeDisk Bytes `yaml:"min_free_disk"`
}

// HasStore tells whether samples are kept in this process.
func (c Config) HasStore() bool { return c.Embedded || len(c.RemoteWrite) == 0 }

// Alerts tells whether rules are evaluated in this process.
func (c Config) Alerts() bool { return c.Alerting.Enabled && c.HasStore() }

// Target is one JVM as written in the file.
type Target struct {
	// URL is the Jolokia agent's, such as http://127.0.0.1:8778/jolokia/.
	URL string `yaml:"url"`
	// Name becomes the label job; "jvm" if empty.
	Name string `yaml:"name"`
	// Labels are added to every series. "instance" replaces the URL's host:port.
	Labels map[string]string `yaml:"labels"`
	// Username and PasswordFile are for basic authentication. The file is read
	// for each request.
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	// BearerTokenFile is for a token instead, read for each request too.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// TLS is for an https URL.
	TLS jvm.TLS `yaml:"tls_config"`
	// Interval and Timeout replace the sidecar's own where they are given.
	Interval Duration `yaml:"interval"`
	Timeout  Duration `yaml:"timeout"`
}

// Evidence steers what is asked of a JVM whose old region fills.
type Evidence struct {
	// MaxPause bounds the time for which a class histogram may stop the JVM; 0
	// takes none. The time is estimated from the heap in use.
	MaxPause Duration `yaml:"max_pause"`
}

// Capture steers heap dumps.
type Capture struct {
	// Directory is where dumps and reports lie, as the sidecar sees it.
	Directory string `yaml:"directory"`
	// JVMDirectory is the same directory as the JVM sees it, where that differs.
	JVMDirectory string `yaml:"jvm_directory"`
	// OldAfterGCRatio is the share of the old region still in use after a
	// collection from which a dump is taken.
	OldAfterGCRatio float64 `yaml:"old_after_gc_ratio"`
	// CoolDown is the least time between two attempts.
	CoolDown Duration `yaml:"cool_down"`
	// Live dumps live objects only, after a full collection.
	Live bool `yaml:"live"`
	// KeepDumps is how many dumps of a target stay on disk after their analysis.
	KeepDumps Count `yaml:"keep_dumps"`
}

// Enabled tells whether heap dumps are wanted.
func (c Capture) Enabled() bool { return c.Directory != "" }

// Default is the configuration of a run without any.
func Default() Config {
	return Config{
		Interval:     Duration(10 * time.Second),
		SlowInterval: Duration(time.Minute),
		Naming:       "prometheus",
		Evidence:     Evidence{MaxPause: Duration(time.Second)},
		Listen:       "127.0.0.1:8429",
		DataDir:      "apm-sidecar-data",
		Retention:    Duration(30 * 24 * time.Hour),
		Store:        Store{Memory: 64 << 20, Queue: 1 << 30, MinFreeDisk: 256 << 20},
		Capture: Capture{
			OldAfterGCRatio: 0.75,
			CoolDown:        Duration(time.Hour),
			KeepDumps:       1,
		},
		Transactions: defaultTransactions(),
		Alerting:     defaultAlerting(),
	}
}

// JVMs are the targets in the form that the other packages use. The
// configuration must be valid.
func (c Config) JVMs() ([]jvm.Target, error) {
	targets := make([]jvm.Target, 0, len(c.Targets))
	for _, t := range c.Targets {
		target, err := t.jvm()
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return targets, nil
}

func (t Target) jvm() (jvm.Target, error) {
	target, err := jvm.ParseTarget(t.URL)
	if err != nil {
		return jvm.Target{}, err
	}
	if t.Name != "" {
		target.Job = t.Name
	}
	if instance := t.Labels["instance"]; instance != "" {
		target.Instance = instance
	}
	target.Labels = t.Labels
	target.Interval, target.Timeout = time.Duration(t.Interval), time.Duration(t.Timeout)
	target.TLS = t.TLS
	if t.Username != "" {
		target.Credentials = jvm.Credentials{Username: t.Username, PasswordFile: t.PasswordFile}
	}
	target.Credentials.BearerTokenFile = t.BearerTokenFile
	return target, nil
}
