package agent

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// prune removes the oldest dumps of a target until KeepDumps are left, each with the parts of it that a JVM leaves which dies while it writes them. Only
// files named as Take and HotSpot name them are touched.
//
// Source: DumpMerger::get_writer_path in heapDumper.cpp, JDK 22 and later.
func (c *Capture) prune(t jvm.Target) error {
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
	dumps := slices.Sorted(maps.Keys(files)) // by age
	var errs []error
	for _, dump := range dumps[:max(0, len(dumps)-c.opts.KeepDumps)] {
		for _, name := range files[dump] {
			errs = append(errs, os.Remove(filepath.Join(c.opts.Directory, name)))
		}
	}
	return errors.Join(errs...)
}
