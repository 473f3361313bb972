package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Transactions steers the following of requests in flight.
type Transactions struct {
	// Enabled follows them.
	Enabled bool `yaml:"enabled"`
	// Interval is the time between two looks at the requests in flight.
	Interval Duration `yaml:"interval"`
	// Threshold is the duration from which a transaction is slow and put on record.
	Threshold Duration `yaml:"threshold"`
	// Routes has the thresholds of single routes, by route or path; a final "*"
	// stands for whatever follows. The longest pattern that matches counts.
	Routes map[string]Duration `yaml:"routes"`
	// MaxRecordsBytes bounds the records on disk; the oldest make room.
	MaxRecordsBytes Bytes `yaml:"max_records_bytes"`
	// Spans takes those that applications send of themselves, and sends them on.
	Spans Spans `yaml:"spans"`
}

// The bounds of what following transactions takes.
const (
	minLookInterval  = 100 * time.Millisecond
	maxLookInterval  = time.Minute
	minRecordsBytes  = 1 << 20
	maxRouteSettings = 1000
)

func defaultTransactions() Transactions {
	return Transactions{
		Enabled:         true,
		Interval:        Duration(time.Second),
		Threshold:       Duration(3 * time.Second),
		MaxRecordsBytes: 64 << 20,
		Spans:           defaultSpans(),
	}
}

func (t Transactions) faults() []error {
	errs := t.Spans.faults(t.Enabled)
	if !t.Enabled {
		return errs
	}
	interval := time.Duration(t.Interval)
	if interval < minLookInterval || interval > maxLookInterval {
		return append(errs, fmt.Errorf("transactions.interval %s is not between %s and %s", interval, minLookInterval, maxLookInterval))
	}
	short := func(name string, d Duration) {
		if time.Duration(d) < 2*interval {
			errs = append(errs, fmt.Errorf("%s %s is less than twice transactions.interval %s: such transactions could end unseen between two looks", name, d, interval))
		}
	}
	short("transactions.threshold", t.Threshold)
	for _, route := range slices.Sorted(maps.Keys(t.Routes)) {
		short(fmt.Sprintf("transactions.routes[%q]", route), t.Routes[route])
		if !strings.HasPrefix(route, "/") {
			errs = append(errs, fmt.Errorf("transactions.routes[%q] does not begin with /", route))
		}
	}
	if len(t.Routes) > maxRouteSettings {
		errs = append(errs, fmt.Errorf("transactions.routes has more than %d entries", maxRouteSettings))
	}
	if t.MaxRecordsBytes < minRecordsBytes {
		errs = append(errs, errors.New("transactions.max_records_bytes is less than 1MiB"))
	}
	return errs
}
