package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	c.wg.Go(func() {
		if !written(ctx, left.dump) {
			return
		}
		log := c.opts.Logger.With("target", t.Name())
		log.Info("analysing a heap dump of an earlier run", "dump", left.dump)
		c.startAnalysis(ctx, log, t, left.dump, labels, sink)
	})
}

// writingPause is how long a JVM that writes a dump may add nothing to it.
const writingPause = 10 * time.Second

// written waits until a dump does not grow any more: the JVM goes on writing it when the
// sidecar that asked for it is stopped, and what there is of it until then tells little. Newer
// ones (seen on 25) write nearly all into parts beside it, and put them together at the end.
// False is the end of ctx.
func written(ctx context.Context, dump string) bool {
	look := time.NewTicker(writingPause)
	defer look.Stop()
	for before := int64(-1); ; {
		size := sizeWithParts(dump)
		if size == before {
			return true
		}
		before = size
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
}

// sizeWithParts is that of the files whose names begin with a dump's.
func sizeWithParts(dump string) (size int64) {
	entries, err := os.ReadDir(filepath.Dir(dump))
	if err != nil {
		return 0 // whoever reads the dump has more to say of it
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), filepath.Base(dump)) {
			size += info.Size()
		}
	}
	return size
}
