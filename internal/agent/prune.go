package agent

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// prune removes the oldest dumps of the target with the prefix until KeepDumps
// are left. Only files named as Take names them are touched.
func (c *Capture) prune(prefix string) error {
	entries, err := os.ReadDir(c.opts.Directory)
	if err != nil {
		return err
	}
	ours := regexp.MustCompile(`^` + regexp.QuoteMeta(prefix) + `-\d{8}T\d{6}Z\.hprof$`)
	var dumps []string
	for _, e := range entries {
		if e.Type().IsRegular() && ours.MatchString(e.Name()) {
			dumps = append(dumps, e.Name())
		}
	}
	slices.Sort(dumps) // the time in the name sorts by age
	var errs []error
	for len(dumps) > c.opts.KeepDumps {
		errs = append(errs, os.Remove(filepath.Join(c.opts.Directory, dumps[0])))
		dumps = dumps[1:]
	}
	return errors.Join(errs...)
}
