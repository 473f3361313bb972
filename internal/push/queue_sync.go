package push

import (
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
)

// syncing is what sync knows of its attempts.
type syncing struct {
	// failing is true since one went wrong; sync's alone.
	failing bool
	faults  atomic.Int64
}

// sync brings what was written to the disk itself, against power cuts, and says when that
// begins to fail and when it works again. Append does not wait for it. One goroutine calls it.
func (q *queue) sync() {
	q.mu.Lock()
	files := q.takeUnsynced()
	active, dirty := q.active, q.dirty && !q.closed && !q.inMemory()
	q.dirty = false
	q.mu.Unlock()
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Sync(), f.Close())
	}
	if dirty {
		err := active.Sync()
		if errors.Is(err, os.ErrClosed) {
			err = nil // close has synced it
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	switch {
	case err != nil:
		q.syncing.faults.Add(1)
		if !q.syncing.failing {
			q.opts.logger.Warn("queue is not brought to the disk, a power cut would cost what is in it", slog.Any("error", err))
		}
	case len(errs) == 0:
		return
	case q.syncing.failing:
		q.opts.logger.Info("queue is brought to the disk again")
	}
	q.syncing.failing = err != nil
}

// takeUnsynced are the files of segments that are not written to any more, to be synced and
// closed by the caller.
func (q *queue) takeUnsynced() []appendFile {
	var files []appendFile
	for _, s := range q.segments {
		if s.unsynced != nil {
			files = append(files, s.unsynced)
			s.unsynced = nil
		}
	}
	return files
}
