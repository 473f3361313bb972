package push

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// appendFile is the part of *os.File that the writing side uses.
type appendFile interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// readFile is the part of it that the reading side uses.
type readFile interface {
	io.ReaderAt
	io.Closer
}

// queueOptions are the settings of one queue.
type queueOptions struct {
	dir string
	// maxBytes bounds the files; the oldest segment goes when it is passed.
	maxBytes int64
	logger   *slog.Logger
	// minFreeBytes is the space on the disk that the queue leaves to others: with
	// less, it does not grow any more. Zero means none.
	minFreeBytes int64
	// maxMemory bounds what waits in memory while the disk takes nothing; zero means none.
	maxMemory int64
	// openFile opens a segment for writing, openRead for reading; nil means the real ones.
	openFile func(path string) (appendFile, error)
	openRead func(path string) (readFile, error)
}

// delivery is a record that was handed over and waits for its acknowledgement.
type delivery struct {
	// end is the logical offset behind the record.
	end     uint64
	samples int
	timeMs  int64
	// ackAt is when the receiver has it on disk, unless it restarted before.
	ackAt time.Time
}

// queue is the log of one destination: append, read, acknowledge. What append
// accepted is in the page cache of the system, so it outlives the process; but for what
// waits in memory while the disk takes nothing.
// Appending and reading may go on at once; there is one reader.
type queue struct {
	opts queueOptions
	// more has a value when something was appended since it was last taken.
	more chan struct{}
	// readBuf is the memory of next, unread the place that cannot be read: the reader's alone.
	readBuf []byte
	unread  unread

	mu     sync.Mutex
	closed bool
	// segments are sorted by base; the last one is written to.
	segments []*segment
	active   appendFile
	// rolled is when the last segment was begun, zero where that was before the start.
	rolled time.Time
	// ack <= read <= write, all logical offsets: acknowledged, handed out, written.
	ack, read, write uint64
	// waiting are the deliveries between ack and read, in order.
	waiting []delivery
	// onTrust are deliveries whose records were given up before their acknowledgement.
	onTrust []trusted
	// fresh is what goes before the rest while there is a backlog.
	fresh overtaking
	// marks are places in the log of the last minutes, oldest first.
	marks []mark
	// dirty says that something was written since the last sync.
	dirty   bool
	syncing syncing
	// reader is the open file of the segment that starts at readerBase.
	reader     readFile
	readerBase uint64
	writeBuf   []byte
	dropped    drops
	// What the log is told now and then: of samples given up, of a segment that could not be
	// begun, of a cursor that could not be written, of samples that wait in memory.
	sayDrops, sayFiles, sayCursor, sayShelter seldom
	// unsaid is what the log is still to be told of the first of them; nil for nothing.
	unsaid []slog.Attr
	// saidShelter is true since the log was told of the latter.
	saidShelter bool
}

// end is the logical offset behind the last record.
func (q *queue) end() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.write
}

// close closes the files; what is not acknowledged is replayed at the next open.
func (q *queue) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	if q.reader != nil {
		q.reader.Close()
	}
	q.sayLeft()
	var errs []error
	for _, f := range append(q.takeUnsynced(), q.active) {
		errs = append(errs, f.Sync(), f.Close())
	}
	return errors.Join(errs...)
}
