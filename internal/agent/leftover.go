package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// nameTime is the layout of the time in the names of dumps and reports.
const nameTime = "20060102T150405Z"

// leftover is the youngest capture of a target that left a trace in the directory.
type leftover struct {
	taken time.Time
	// dump is the dump that has no report yet; empty if it has one, or is gone.
	dump string
}

// leftoverOf finds what earlier runs of this program left. It is false where there
// is nothing.
func (c *Capture) leftoverOf(t jvm.Target) (leftover, bool) {
	entries, err := os.ReadDir(c.opts.Directory)
	if err != nil {
		return leftover{}, false
	}
	ours := regexp.MustCompile(`^` + regexp.QuoteMeta(filePrefix(t)) + `-(\d{8}T\d{6}Z)\.(hprof|report\.json)$`)
	var last leftover
	for _, e := range entries {
		match := ours.FindStringSubmatch(e.Name())
		if match == nil {
			continue
		}
		at, err := time.Parse(nameTime, match[1])
		if err != nil || at.Before(last.taken) {
			continue
		}
		if at.After(last.taken) {
			last = leftover{taken: at}
		}
		if match[2] == "hprof" {
			last.dump = filepath.Join(c.opts.Directory, e.Name())
		}
	}
	if last.dump != "" {
		if _, err := os.Lstat(reportPath(last.dump)); !errors.Is(err, fs.ErrNotExist) {
			last.dump = ""
		}
	}
	return last, !last.taken.IsZero()
}

// Resume starts the analysis that an earlier run was stopped in, if there is one;
// Wait waits for it.
func (c *Capture) Resume(ctx context.Context, t jvm.Target, labels []series.Label, sink Sink) {
	left, ok := c.leftoverOf(t)
	if !ok || left.dump == "" {
		return
	}
	log := c.opts.Logger.With("target", t.Name())
	log.Info("analysing a heap dump of an earlier run", "dump", left.dump)
	c.startAnalysis(ctx, log, t, left.dump, labels, sink)
}
