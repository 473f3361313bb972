package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"time"
)

// The bounds of durations.
const (
	minInterval  = 100 * time.Millisecond
	maxInterval  = time.Hour
	minRetention = 24 * time.Hour
)

// maxTargets bounds the targets of one sidecar.
const maxTargets = 10_000

// Validate joins all faults. Their texts never show a password.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if len(c.Targets) == 0 {
		fault("no target: give --target http://127.0.0.1:8778/jolokia/ or targets in the configuration")
	}
	if len(c.Targets) > maxTargets {
		fault("%d targets are more than %d: run several sidecars", len(c.Targets), maxTargets)
	}
	errs = append(errs, c.targetFaults()...)
	if i := time.Duration(c.Interval); i < minInterval || i > maxInterval {
		fault("interval %s is not between %s and %s", i, minInterval, maxInterval)
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		fault("listen %q is no host:port, such as 127.0.0.1:8429", c.Listen)
	}
	if c.DataDir == "" {
		fault("data_dir is empty")
	}
	if r := time.Duration(c.Retention); r < minRetention {
		fault("retention %s is shorter than %s", r, minRetention)
	}
	for i, raw := range c.RemoteWrite {
		if u, err := url.Parse(raw); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			fault("remote_write[%d] is no http or https URL", i)
		}
	}
	errs = append(errs, c.Transactions.faults()...)
	return errors.Join(append(errs, c.Capture.faults()...)...)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// ownLabels are the labels that metrics bring along: a target's label of that
// name would hide what they say.
func ownLabels() []string {
	return []string{"area", "bucket", "class", "gc", "generation", "job", "kind", "le", "phase", "pool", "route", "runtime", "severity", "vendor", "version", "wait", "window"}
}

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
			} else if slices.Contains(ownLabels(), name) {
				fault("label %q is taken by the metrics themselves (for job use name)", name)
			}
		}
		switch {
		case t.PasswordFile != "" && t.Username == "":
			fault("password_file without username")
		case t.Username != "" && t.PasswordFile == "":
			fault("username without password_file")
		case t.PasswordFile != "":
			if f, err := os.Open(t.PasswordFile); err != nil {
				fault("password_file: %w", err)
			} else if err := f.Close(); err != nil {
				fault("password_file: %w", err)
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
	if c.OldAfterGCRatio <= 0 || c.OldAfterGCRatio > 1 {
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
