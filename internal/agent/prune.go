package agent

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// prune removes the oldest dumps of a target until KeepDumps are left, each with the parts of it that a JVM leaves which dies while it writes them. Only
// files named as Take and HotSpot name them are touched. Those of a clock that was ahead, later than now and than the dump that was analysed last, go first: they
// would be the newest for years.
//
// Source: DumpMerger::get_writer_path in heapDumper.cpp, JDK 22 and later.
func (c *Capture) prune(t jvm.Target, dump string, now time.Time) error {
	entries, err := os.ReadDir(c.opts.Directory)
	if err != nil {
		return err
	}
	ours := regexp.MustCompile(filePattern(t) + `\.hprof(\.p\d+)?$`)
	files := map[string][]string{} // by the time of the dump
	for _, e := range entries {
		if match := ours.FindStringSubmatch(e.Name()); match != nil && e.Type().IsRegular() {
			files[match[1]] = append(files[match[1]], e.Name())
		}
	}
	latest := now.UTC().Format(nameTime)
	if match := ours.FindStringSubmatch(filepath.Base(dump)); match != nil {
		latest = max(latest, match[1])
	}
	times := slices.Sorted(maps.Keys(files)) // oldest first
	ahead, there := slices.BinarySearch(times, latest)
	if there {
		ahead++
	}
	times = slices.Concat(times[ahead:], times[:ahead])
	var errs []error
	for _, at := range times[:max(0, len(times)-c.opts.KeepDumps)] {
		for _, name := range files[at] {
			errs = append(errs, os.Remove(filepath.Join(c.opts.Directory, name)))
		}
	}
	return errors.Join(errs...)
}
