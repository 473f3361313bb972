package hprof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// spool is the temporary file that a dump is unpacked into. It is unlinked: it is gone when
// it is closed, whatever happens to the process. What is packed may swell to a thousand
// times its size, and a pipe need not end, so some of the disk is left to others.
type spool struct {
	ctx  context.Context
	file *os.File
	at   int64 // where Write goes on
}

// newSpool makes an empty one, which is written to until ctx ends.
func newSpool(ctx context.Context) (*spool, error) {
	file, err := os.CreateTemp(offheap.Folder(), "heapscan-*.hprof")
	if err != nil {
		return nil, noRoom(err, 0)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), file.Close())
	}
	return &spool{ctx: ctx, file: file}, nil
}

// Write writes behind what Write wrote. One goroutine at a time.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.WriteAt(p, s.at)
	s.at += int64(n)
	return n, err
}

// WriteAt writes at an offset. Errors: that of the context, *os.PathError, ENOSPC among them
// where others would be left too little of the disk.
func (s *spool) WriteAt(p []byte, at int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if free, all, err := offheap.Space(s.file); err == nil && free-int64(len(p)) < leftToOthers(all) {
		return 0, &os.PathError{Op: "write", Path: filepath.Dir(s.file.Name()), Err: syscall.ENOSPC}
	}
	return s.file.WriteAt(p, at)
}

// leftToOthers is how much of a disk of so many bytes is not taken: a twentieth, but no
// more than a GiB.
func leftToOthers(all int64) int64 { return min(all/20, 1<<30) }

// noRoom explains a failed write to the temporary file.
func noRoom(err error, written int64) error {
	return fmt.Errorf("no room to unpack the dump after %d bytes: %w (set TMPDIR to a folder with space)", written, err)
}
