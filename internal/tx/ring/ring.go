// Package ring keeps the records of slow transactions on disk, the newest ones up to
// a number of bytes. A record is in the hands of the system when Add returns: a
// crash of this program loses none, a crash of the machine the last seconds.
package ring

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// segments is into how many files the ring is cut: the oldest one goes as a whole.
const segments = 16

// Options build a Ring.
type Options struct {
	// Dir is created where it is missing. Only one Ring may use it at a time.
	Dir string
	// MaxBytes bounds what is kept; 64 MiB if zero.
	MaxBytes int64
	Logger   *slog.Logger
}

// Ring is the records on disk with an index in memory. It is safe for concurrent
// use.
type Ring struct {
	opts    Options
	encoder encoder

	mu    sync.RWMutex
	files []*segment
	// index has the place of each record; entries in the order of arrival.
	entries []entry
	byID    map[string]int // index of the entry, less dropped
	dropped int
	out     *os.File
}

// segment is one file.
type segment struct {
	path  string
	bytes int64
	// entries is how many entries of the index are in this file.
	entries int
}

// entry is where a record lies.
type entry struct {
	summary tx.Summary
	segment *segment
	offset  int64
	// replaced says that a later entry has the same id.
	replaced bool
}

// ErrNotFound says that no record has the id, or not any more.
var ErrNotFound = errors.New("no such transaction: it was not slow, or its record had to make room for newer ones")

// Open reads the index of what is there. What a crash left half-written at the end
// of a file is cut off; transactions that were in flight then are lost.
func Open(opts Options) (*Ring, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 64 << 20
	}
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("records of transactions: %w", err)
	}
	r := &Ring{opts: opts, byID: map[string]int{}}
	names, err := fs.Glob(os.DirFS(opts.Dir), "*"+suffix) // the folder's own name is no pattern
	if err != nil {
		return nil, fmt.Errorf("records of transactions: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := r.load(filepath.Join(opts.Dir, name)); err != nil {
			return nil, fmt.Errorf("records of transactions: %w", err)
		}
	}
	for i := range r.entries {
		if r.entries[i].summary.State == tx.StateActive {
			r.entries[i].summary.State = tx.StateLost
		}
	}
	return r, nil
}

const suffix = ".transactions"

// load reads the index of one file.
func (r *Ring) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &segment{path: path}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		summary, _, length, err := readFrame(in)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.opts.Logger.Warn("the end of a file of transactions is left out", "file", path, "offset", s.bytes, "error", err)
			}
			break
		}
		r.enter(entry{summary: summary, segment: s, offset: s.bytes})
		s.bytes += length
	}
	r.files = append(r.files, s)
	return nil
}

// enter adds an entry to the index.
func (r *Ring) enter(e entry) {
	if old, ok := r.byID[e.summary.ID]; ok {
		r.entries[old-r.dropped].replaced = true
	}
	r.byID[e.summary.ID] = r.dropped + len(r.entries)
	r.entries = append(r.entries, e)
	e.segment.entries++
}

// Add keeps a record. One of the same id that is there already gives way to it.
func (r *Ring) Add(rec *tx.Record) error {
	frame, err := r.encoder.encode(rec)
	if err != nil {
		return fmt.Errorf("record of a transaction: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.roll(int64(len(frame))); err != nil {
		return fmt.Errorf("record of a transaction: %w", err)
	}
	s := r.files[len(r.files)-1]
	if _, err := r.out.WriteAt(frame, s.bytes); err != nil {
		return fmt.Errorf("record of a transaction: %w", err)
	}
	r.enter(entry{summary: rec.Summary(), segment: s, offset: s.bytes})
	s.bytes += int64(len(frame))
	return nil
}

// roll opens a new file where there is none to write to or it is full, and drops the
// oldest ones where there are too many bytes.
func (r *Ring) roll(more int64) error {
	fits := len(r.files) > 0 && r.files[len(r.files)-1].bytes+more <= r.opts.MaxBytes/segments
	switch {
	case fits && r.out != nil:
		return nil
	case fits: // after a restart
		return r.reopen(r.files[len(r.files)-1])
	}
	if r.out != nil {
		err := errors.Join(r.out.Sync(), r.out.Close())
		r.out = nil
		if err != nil {
			return err
		}
	}
	next := 1
	if n := len(r.files); n > 0 {
		if _, err := fmt.Sscanf(filepath.Base(r.files[n-1].path), "%d", &next); err != nil {
			return fmt.Errorf("%s has no number: %w", r.files[n-1].path, err)
		}
		next++
	}
	path := filepath.Join(r.opts.Dir, fmt.Sprintf("%010d%s", next, suffix))
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	r.out = out
	r.files = append(r.files, &segment{path: path})
	return r.shrink(more)
}

// reopen goes on writing to a file behind its last whole record.
func (r *Ring) reopen(s *segment) error {
	out, err := os.OpenFile(s.path, os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := out.Truncate(s.bytes); err != nil {
		return errors.Join(err, out.Close())
	}
	r.out = out
	return nil
}

// shrink drops the oldest files until there is room for more bytes.
func (r *Ring) shrink(more int64) error {
	total := more
	for _, s := range r.files {
		total += s.bytes
	}
	for total > r.opts.MaxBytes-r.opts.MaxBytes/segments && len(r.files) > 1 {
		oldest := r.files[0]
		if err := os.Remove(oldest.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range r.entries[:oldest.entries] {
			if !e.replaced {
				delete(r.byID, e.summary.ID)
			}
		}
		r.entries = slices.Clone(r.entries[oldest.entries:])
		r.dropped += oldest.entries
		r.files = r.files[1:]
		total -= oldest.bytes
	}
	return nil
}

// Get reads a record, ErrNotFound without one.
func (r *Ring) Get(id string) (*tx.Record, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, ok := r.byID[id]
	if !ok {
		return nil, ErrNotFound
	}
	e := r.entries[i-r.dropped]
	f, err := os.Open(e.segment.path)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", id, err)
	}
	defer f.Close()
	_, body, _, err := readFrame(io.NewSectionReader(f, e.offset, e.segment.bytes-e.offset))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", id, err)
	}
	rec, err := decode(body)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", id, err)
	}
	rec.State = e.summary.State
	return rec, nil
}

// Sync has the system write everything to the disk.
func (r *Ring) Sync() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.out == nil {
		return nil
	}
	return r.out.Sync()
}

// Close ends writing. It must not run beside other calls.
func (r *Ring) Close() error {
	if r.out == nil {
		return nil
	}
	err := errors.Join(r.out.Sync(), r.out.Close())
	r.out = nil
	return err
}
