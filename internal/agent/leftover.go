package agent

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// leftover is the youngest capture of a target that left a trace in the directory; the zero
// value is none.
type leftover struct {
	taken time.Time
	// dump is empty if it is gone.
	dump     string
	analysed bool
}

// leftovers are those of all targets, by how the names of their files begin.
type leftovers map[string]leftover

// leftovers finds what earlier runs of this program left. There is none without a Capture.
func (c *Capture) leftovers() leftovers {
	if c == nil {
		return nil
	}
	entries, err := os.ReadDir(c.opts.Directory)
	if err != nil {
		return nil // the next dump will tell
	}
	all := leftovers{}
	names := regexp.MustCompile(`^(.+)-(\d{8}T\d{6}Z)\.(hprof|report\.json)$`)
	for _, e := range entries {
		match := names.FindStringSubmatch(e.Name())
		if match == nil {
			continue
		}
		at, err := time.Parse(nameTime, match[2])
		last := all[match[1]]
		if err != nil || at.Before(last.taken) {
			continue
		}
		if at.After(last.taken) {
			last = leftover{taken: at}
		}
		if match[3] == "hprof" {
			last.dump = filepath.Join(c.opts.Directory, e.Name())
		} else {
			last.analysed = true
		}
		all[match[1]] = last
	}
	return all
}

// of is that of a target, whichever build left it.
func (l leftovers) of(t jvm.Target) leftover {
	last, old := l[filePrefix(t)], l[plainPrefix(t)]
	if old.taken.After(last.taken) {
		return old
	}
	return last
}

// resume starts the analysis that an earlier run was stopped in, if there is one;
// Wait waits for it.
func (c *Capture) resume(ctx context.Context, t jvm.Target, left leftover, labels []series.Label, sink Sink) {
	if left.dump == "" || left.analysed {
		return
	}
	c.wg.Go(func() {
		if !written(ctx, left.dump) {
			return
		}
		// Whoever followed the target until now, under other labels, may have come to the end meanwhile.
		if _, err := os.Lstat(reportPath(left.dump)); err == nil {
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
