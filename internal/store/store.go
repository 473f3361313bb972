// Package store keeps VictoriaMetrics inside the process: it is the only
// importer of its app/* packages but vmalert's (see package alert), so that their global
// flags, loggers and state stay behind few calls: Open, Write, Handler and Close.
//
// Start order: Open, then whatever writes or reads. Stop order: first whatever
// writes (push) and reads (web), then Close. VictoriaMetrics keeps its state in
// package variables, so a process has at most one open Store; it may be closed
// and opened again, but memory limit and retention of the first Open stay.
//
// Accepted samples live in memory for up to HeldFor before they reach the disk and
// there is no log of them: a killed process loses them. Whoever must not lose
// samples keeps them until then (see package push). Samples of one series with
// equal milliseconds are merged, which makes writing them twice harmless.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmselect"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmselect/promql"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/storage"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/vmlog"
)

// Errors a caller may test with errors.Is.
var (
	// ErrInUse says that the folder belongs to a running process.
	ErrInUse = errors.New("store: folder is in use")
	// ErrForeign says that the folder holds something else than a store.
	ErrForeign = errors.New("store: folder holds other files")
	// ErrClosed is returned by Write after Close.
	ErrClosed = errors.New("store: closed")
)

const (
	defaultRetention   = 30 * 24 * time.Hour
	minRetention       = 24 * time.Hour
	defaultMemoryBytes = 64 << 20

	defaultMinFreeBytes = 256 << 20
	leastMinFreeBytes   = 32 << 20

	// dedupInterval merges samples of a series with equal milliseconds.
	dedupInterval = time.Millisecond
	// flushInterval is how often in-memory parts are written to disk. With the default of
	// 5 s no file has two samples of a series, and all of them are merged once more.
	flushInterval = 20 * time.Second

	// HeldFor is how long accepted samples may be in memory only: 4 s as rows, an interval
	// until their part is due, another until that is looked at, and one more if it is being
	// merged then.
	HeldFor = 3*flushInterval + 10*time.Second
)

// Options say where and how much to store.
type Options struct {
	// Dir is the folder of the store; it is created when missing. A non-empty
	// folder that is not a store is refused. Required.
	Dir string
	// Retention is how long samples are kept: at least 24 h, zero means 30 days.
	Retention time.Duration
	// MemoryBytes bounds the caches of VictoriaMetrics; zero means 64 MiB.
	MemoryBytes int64
	// MinFreeBytes is the free space on the disk below which Write refuses: the
	// storage engine ends the process when it cannot write its files. What it holds in memory
	// is written at once then. An eighth of MinFreeBytes is kept in a file beside them, to
	// be given up for that on a disk that was filled meanwhile. At least 32 MiB, zero means
	// 256 MiB.
	MinFreeBytes int64
	// Broken is called when the engine cannot go on, as where its files have vanished. The
	// process ends with a panic when it returns; nil does nothing.
	Broken func(error)
	// Logger receives the log of VictoriaMetrics; nil discards it.
	Logger *slog.Logger
}

// withDefaults fills the zero values in.
func (o Options) withDefaults() Options {
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = defaultMemoryBytes
	}
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = defaultMinFreeBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate joins all faults of the options.
func (o Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("store: no folder given"))
	}
	if o.Retention != 0 && o.Retention < minRetention {
		errs = append(errs, fmt.Errorf("store: retention %s is shorter than the minimum of %s", o.Retention, minRetention))
	}
	if o.MinFreeBytes != 0 && o.MinFreeBytes < leastMinFreeBytes {
		errs = append(errs, fmt.Errorf("store: free space limit %d is below the minimum of %d bytes", o.MinFreeBytes, leastMinFreeBytes))
	}
	if o.MemoryBytes < 0 {
		errs = append(errs, fmt.Errorf("store: negative memory limit %d", o.MemoryBytes))
	}
	return errors.Join(errs...)
}

// opened mirrors the global state of VictoriaMetrics: true while a Store is open.
var opened atomic.Bool

// Store is the open storage. Write and the handler may be used from many
// goroutines at once.
type Store struct {
	handler http.Handler
	// rows hold *rows.
	rows  sync.Pool
	space *space
	blind atomic.Bool
	// unwatch ends the looks at the space and the clock, and watching waits for that.
	unwatch  context.CancelFunc
	watching sync.WaitGroup

	// mu is held for reading by writers and requests, for writing by Close.
	mu     sync.RWMutex
	closed bool
}

// Open checks the folder and opens the storage in it. Errors wrap ErrInUse when
// a running process holds the folder and ErrForeign when it is not a store.
func Open(opts Options) (_ *Store, err error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	handler, err := newHandler()
	if err != nil {
		return nil, err
	}
	if !opened.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: this process has a store open already", ErrInUse)
	}
	defer func() {
		if err != nil {
			opened.Store(false)
		}
	}()
	s := &Store{space: newSpace(opts)}
	if err := checkFolder(opts.Dir, s.space); err != nil {
		return nil, err
	}
	if opts.Broken != nil {
		vmlog.OnFatal(func(text string) {
			if !starting() {
				opts.Broken(fmt.Errorf("store: %s cannot be written or read any more: %s", opts.Dir, text))
			}
		})
	}
	if err := start(opts); err != nil {
		vmlog.OnFatal(nil)
		return nil, err
	}
	s.space.save = func() error { return save(opts.Dir) }
	s.handler = s.whileOpen(handler)
	ctx, cancel := context.WithCancel(context.Background())
	s.unwatch = cancel
	s.watching.Go(func() { s.space.watch(ctx) })
	s.watching.Go(func() { followClock(ctx, new(host.Clock).Step, vmstorage.Storage.DebugFlush) })
	return s, nil
}

// start brings VictoriaMetrics up in the order of its own main function. A panic
// of its logger (it has no other way to report) becomes an error.
func start(opts Options) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: open %s: %v", opts.Dir, r)
		}
	}()
	if err := setFlags(opts); err != nil {
		return err
	}
	vmlog.To(opts.Logger)
	rawRowsShards = 1
	storage.SetDedupInterval(dedupInterval)
	storage.SetDataFlushInterval(flushInterval)
	vmstorage.Init(promql.ResetRollupResultCacheIfNeeded)
	vmselect.Init()
	return nil
}

// starting tells whether the caller was called by start, which recovers from a panic: goroutines
// of the engine that open files at the same time do not.
func starting() bool {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "internal/store.start") {
			return true
		}
		if !more {
			return false
		}
	}
}

// Write stores samples. On an error none of them is stored. ErrNoSpace is one, and
// passes when space is freed. Values that are neither finite nor the staleness marker are
// skipped. Label names and values must be shorter than 64 KiB.
func (s *Store) Write(samples []series.Sample) error {
	if err := s.space.refusal(takesAll); err != nil {
		s.blind.Store(true)
		return fmt.Errorf("store: %w", err)
	}
	err := s.WriteOwn(samples)
	if err == nil {
		s.blind.Store(false)
	}
	return err
}

// WriteOwn is Write for what the sidecar has to say of itself. It is little, and goes on
// where Write refuses for want of space: that is what it tells of.
func (s *Store) WriteOwn(samples []series.Sample) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.space.refusal(takesOwn); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	r, ok := s.rows.Get().(*rows)
	if !ok {
		r = &rows{}
	}
	defer s.rows.Put(r)
	err := vmstorage.AddRows(r.of(samples))
	switch {
	case err != nil && vmstorage.Storage.IsReadOnly():
		return fmt.Errorf("store: %w", s.space.tooLittle())
	case err != nil:
		return fmt.Errorf("store: write %d samples: %w", len(r.list), err)
	}
	return nil
}

// Blind tells whether Write has refused samples for want of space, and none since were
// stored: what they would say is not known then.
func (s *Store) Blind() bool { return s.blind.Load() }

// Full tells whether nothing at all is taken for want of space, WriteOwn's neither.
func (s *Store) Full() bool { return s.space.taken() == takesNothing }

// WriteMetrics writes the self metrics in Prometheus' text form.
func (s *Store) WriteMetrics(w io.Writer) {
	// A failed write is the scraper's own doing.
	_, _ = fmt.Fprintf(w, "apm_sidecar_store_free_bytes %d\napm_sidecar_store_min_free_bytes %d\n", s.space.free.Load(), s.space.minBytes)
}

// Handler serves the query API and vmui; see newHandler for the routes. After
// Close it answers 503.
func (s *Store) Handler() http.Handler { return s.handler }

// whileOpen keeps Close waiting for running requests and refuses later ones.
func (s *Store) whileOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.closed {
			http.Error(w, "the store is closed", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close waits for running requests, writes everything to disk and gives the
// folder free. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.unwatch()
	s.watching.Wait()
	stopped := make(chan error, 1)
	go func() { stopped <- stop(s.space) }()
	select {
	case err := <-stopped:
		opened.Store(false)
		return err
	case <-time.After(closeTimeout):
		return fmt.Errorf("store: not closed within %s; the disk may be full", closeTimeout)
	}
}

// closeTimeout bounds Close: on a disk without a free byte the engine waits for ever for its
// caches to be saved, which comes after all samples.
const closeTimeout = 30 * time.Second

// stop ends the engine, which writes all it has to the room there is. A panic of its logger
// becomes an error.
func stop(room *space) (err error) {
	defer vmlog.OnFatal(nil)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: close: %v", r)
		}
	}()
	room.look()
	vmstorage.Stop()
	vmselect.Stop()
	return nil
}
