package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// The bounds of durations.
const (
	minInterval  = 100 * time.Millisecond
	maxInterval  = time.Hour
	minRetention = 24 * time.Hour
)

// The least sizes.
const (
	minStoreMemory Bytes = 16 << 20
	minQueue       Bytes = 1 << 20
	minFreeDisk    Bytes = 32 << 20
)

// maxTargets bounds the targets of one sidecar.
const maxTargets = 10_000

// Validate joins all faults. Their texts never show a password.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if len(c.Targets)+len(c.Discovery) == 0 {
		fault("no target: give --target http://127.0.0.1:8778/jolokia/, or targets or discovery in the configuration")
	}
	if len(c.Targets) > maxTargets {
		fault("%d targets are more than %d: run several sidecars", len(c.Targets), maxTargets)
	}
	errs = append(errs, c.targetFaults()...)
	for i := range c.Discovery {
		if err := c.Discovery[i].Validate(); err != nil {
			fault("discovery[%d]: %w", i, err)
		}
		for _, err := range []error{
			readable("password_file", c.Discovery[i].PasswordFile), readable("bearer_token_file", c.Discovery[i].BearerTokenFile), readableTLS(c.Discovery[i].TLS),
		} {
			if err != nil {
				fault("discovery[%d]: %w", i, err)
			}
		}
	}
	if i := time.Duration(c.Interval); i < minInterval || i > maxInterval {
		fault("interval %s is not between %s and %s", i, minInterval, maxInterval)
	}
	errs = append(errs, c.Web.faults(c.Listen)...)
	if i := time.Duration(c.SlowInterval); i < minInterval || i > maxInterval {
		fault("slow_interval %s is not between %s and %s", i, minInterval, maxInterval)
	}
	if _, err := series.ParseNaming(c.Naming); err != nil {
		fault("%w", err)
	}
	if p := time.Duration(c.Evidence.MaxPause); p < 0 {
		fault("evidence.max_pause %s is negative", p)
	}
	if c.DataDir == "" {
		fault("data_dir is empty")
	}
	if r := time.Duration(c.Retention); r < minRetention {
		fault("retention %s is shorter than %s", r, minRetention)
	}
	if c.Store.Memory < minStoreMemory {
		fault("store.memory %s is less than %s", c.Store.Memory, minStoreMemory)
	}
	if c.Store.Queue < minQueue {
		fault("store.queue %s is less than %s", c.Store.Queue, minQueue)
	}
	if c.Store.MinFreeDisk < minFreeDisk {
		fault("store.min_free_disk %s is less than %s", c.Store.MinFreeDisk, minFreeDisk)
	}
	receivers := map[string]int{}
	for i, r := range c.RemoteWrite {
		if err := r.fault(); err != nil {
			fault("remote_write[%d] %w", i, err)
			continue
		}
		if first, ok := receivers[r.receiver()]; ok {
			fault("remote_write[%d] is the same receiver as remote_write[%d]: its queue has the URL's name", i, first)
			continue
		}
		receivers[r.receiver()] = i
	}
	errs = append(errs, c.Transactions.faults()...)
	errs = append(errs, databaseFaults(c.Databases)...)
	errs = append(errs, c.Alerting.faults()...)
	return errors.Join(append(errs, c.Capture.faults()...)...)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (c Config) targetFaults() []error {
	var errs []error
	seen := map[string]int{}
	for i, t := range c.Targets {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("targets[%d]: "+format, append([]any{i}, args...)...))
		}
		target, err := t.jvm()
		if err != nil {
			fault("%w", err)
			continue
		}
		if first, ok := seen[target.Name()]; ok {
			fault("has the same name and instance as targets[%d], %s: give it a name of its own", first, target.Name())
		} else {
			seen[target.Name()] = i
		}
		for _, name := range slices.Sorted(maps.Keys(t.Labels)) {
			if !labelName.MatchString(name) || name == "__name__" {
				fault("label %q is no label name: letters, digits and underscores", name)
			} else if name == "job" || series.IsOwnLabel(name) {
				fault("label %q is taken by the metrics themselves (for job use name)", name)
			}
		}
		switch {
		case t.PasswordFile != "" && t.Username == "":
			fault("password_file without username")
		case t.Username != "" && t.PasswordFile == "":
			fault("username without password_file")
		case t.BearerTokenFile != "" && target.Credentials.Username != "":
			fault("username and bearer_token_file exclude each other")
		}
		if err := t.TLS.Validate(t.URL); err != nil {
			fault("%w", err)
		}
		if i := time.Duration(t.Interval); i != 0 && (i < minInterval || i > maxInterval) {
			fault("interval %s is not between %s and %s", i, minInterval, maxInterval)
		}
		if t.Timeout < 0 {
			fault("timeout %s is negative", t.Timeout)
		}
		for _, err := range []error{
			readable("password_file", t.PasswordFile), readable("bearer_token_file", t.BearerTokenFile), readableTLS(t.TLS),
		} {
			if err != nil {
				fault("%w", err)
			}
		}
	}
	return errs
}

func (c Capture) faults() []error {
	var errs []error
	if !c.Enabled() {
		if c.JVMDirectory != "" {
			errs = append(errs, errors.New("capture.jvm_directory without capture.directory: no heap dump would be taken"))
		}
		return errs
	}
	if c.JVMDirectory != "" && (!path.IsAbs(c.JVMDirectory) || path.Clean(c.JVMDirectory) != c.JVMDirectory) {
		errs = append(errs, fmt.Errorf("capture.jvm_directory %q is not a clean absolute path", c.JVMDirectory))
	}
	if math.IsNaN(c.OldAfterGCRatio) || c.OldAfterGCRatio <= 0 || c.OldAfterGCRatio > 1 {
		errs = append(errs, fmt.Errorf("capture.old_after_gc_ratio %g is not between 0 and 1", c.OldAfterGCRatio))
	}
	if d := time.Duration(c.CoolDown); d < time.Minute {
		errs = append(errs, fmt.Errorf("capture.cool_down %s is shorter than 1m: each dump stops the JVM", d))
	}
	if c.KeepDumps < 0 {
		errs = append(errs, fmt.Errorf("capture.keep_dumps %d is negative", c.KeepDumps))
	}
	return errs
}
