package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// CaptureOptions say where heap dumps go and what becomes of them.
type CaptureOptions struct {
	// Directory is where the sidecar finds the dumps. It must exist, be writable
	// for the JVM's user and readable for the sidecar's: HotSpot writes dumps
	// with mode 0600, so in practice both run as one user, or the sidecar as root.
	Directory string
	// JVMDirectory is the same directory as the JVM sees it; Directory if empty.
	JVMDirectory string
	// Live has the JVM collect garbage first and dump live objects only. Dumps
	// with garbage are the better evidence for finalizer trouble.
	Live bool
	// KeepDumps is how many dumps of a target stay on disk; reports stay.
	KeepDumps int
	// Analyser is the program and its first arguments that analyse a dump; "DUMP
	// --report FILE" is appended, and "--max-memory BYTES". It runs with low priority.
	Analyser []string
	// MemoryLimitBytes is what the analyser may take, zero for what is free when it runs.
	MemoryLimitBytes int64
	// AnalysisTimeout bounds one analysis, for the next one waits for its end; an
	// hour if zero.
	AnalysisTimeout time.Duration
	// Stdout receives the verdicts, one after the other.
	Stdout io.Writer
	Logger *slog.Logger
}

// defaultAnalysisTimeout is far beyond what the biggest dumps take, minutes.
const defaultAnalysisTimeout = time.Hour

// Capture takes heap dumps and has them analysed by a child process, one at a
// time. Safe for concurrent use.
type Capture struct {
	opts CaptureOptions
	// turn holds a token while an analysis runs.
	turn chan struct{}
	wg   sync.WaitGroup
}

// NewCapture checks the directory and builds a Capture.
func NewCapture(opts CaptureOptions) (*Capture, error) {
	if opts.JVMDirectory == "" {
		abs, err := filepath.Abs(opts.Directory)
		if err != nil {
			return nil, fmt.Errorf("capture directory: %w", err)
		}
		opts.JVMDirectory = filepath.ToSlash(abs)
	}
	if opts.AnalysisTimeout == 0 {
		opts.AnalysisTimeout = defaultAnalysisTimeout
	}
	info, err := os.Stat(opts.Directory)
	if err != nil {
		return nil, fmt.Errorf("capture directory: %w; create it, writable for the JVM's user", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("capture directory %s is no directory", opts.Directory)
	}
	return &Capture{opts: opts, turn: make(chan struct{}, 1)}, nil
}

// Wait waits for analyses that Take started. They end early with their context.
func (c *Capture) Wait() { c.wg.Wait() }

// freeBytes is the disk space that a dump may use; missing where the system does not tell.
func (c *Capture) freeBytes() jvm.Opt[int64] {
	free, err := host.FreeBytes(c.opts.Directory)
	if err != nil {
		return jvm.Opt[int64]{}
	}
	return jvm.Count(free)
}

// Take has the JVM write a dump and returns when it is there; its analysis runs on
// until Wait. Labels and sink are for the summary samples.
func (c *Capture) Take(ctx context.Context, t jvm.Target, client Client, labels []series.Label, sink Sink) error {
	name := fmt.Sprintf("%s-%s.hprof", filePrefix(t), time.Now().UTC().Format(nameTime))
	dump := filepath.Join(c.opts.Directory, name)
	if _, err := os.Lstat(dump); err == nil {
		return fmt.Errorf("%s is there already", dump)
	}
	start := time.Now()
	if err := client.DumpHeap(ctx, path.Join(c.opts.JVMDirectory, name), c.opts.Live); err != nil {
		return c.failed(err, dump)
	}
	info, err := checkDump(dump)
	if err != nil {
		return err
	}
	log := c.opts.Logger.With("target", t.Name())
	log.Info("heap dump written", "dump", dump, "bytes", info.Size(), "seconds", time.Since(start).Seconds())
	c.startAnalysis(ctx, log, t, dump, labels, sink)
	return nil
}

// failed explains why the JVM wrote no dump, and removes what it left of one: a JVM
// that meets a full disk leaves it full.
func (c *Capture) failed(err error, dump string) error {
	if jmx.Reason(err) != jmx.ReasonOperation || errors.Is(err, jmx.ErrUnsupported) {
		return err // the JVM may be writing still, or never began
	}
	err = fmt.Errorf("%w; capture.directory must exist for the JVM, have room, and be writable for the JVM's user", err)
	if e := os.Remove(dump); e != nil && !errors.Is(e, fs.ErrNotExist) {
		return errors.Join(err, e)
	}
	return err
}

// startAnalysis has a dump analysed; Wait waits for it.
func (c *Capture) startAnalysis(ctx context.Context, log *slog.Logger, t jvm.Target, dump string, labels []series.Label, sink Sink) {
	c.wg.Go(func() {
		if err := c.analyse(ctx, log, dump, labels, sink); err != nil && ctx.Err() == nil {
			log.Error("no analysis", "dump", dump, "error", err)
		}
		if err := c.prune(t, dump, time.Now()); err != nil {
			log.Warn("old heap dumps stay on disk", "error", err)
		}
	})
}

// checkDump makes sure that the sidecar sees what the JVM wrote.
func checkDump(dump string) (fs.FileInfo, error) {
	f, err := os.Open(dump)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the JVM wrote the dump, but it is not at %s: capture.directory and capture.jvm_directory must be the same directory, as the sidecar and as the JVM see it", dump)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: the JVM writes dumps for its own user only; run the sidecar as the same user", err)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// analyse runs the child and turns its report into samples.
func (c *Capture) analyse(ctx context.Context, log *slog.Logger, dump string, labels []series.Label, sink Sink) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.AnalysisTimeout, fmt.Errorf("not done within %s", c.opts.AnalysisTimeout))
	defer cancel()
	start := time.Now()
	reportFile := reportPath(dump)
	verdict, err := runAnalyser(ctx, c.opts.Analyser, c.opts.MemoryLimitBytes, dump, reportFile)
	if err != nil {
		return err
	}
	summary, err := readSummary(reportFile)
	if err != nil {
		return err
	}
	log.Info("heap dump analysed", "report", reportFile, "findings", len(summary.Findings), "seconds", time.Since(start).Seconds())
	if _, err := c.opts.Stdout.Write(verdict); err != nil {
		log.Warn("the verdict cannot be printed", "error", err)
	}
	return sink.Append(summary.samples(labels, time.Now()))
}

// reportPath is where the report of a dump lies: beside it.
func reportPath(dump string) string {
	return dump[:len(dump)-len(".hprof")] + ".report.json"
}
