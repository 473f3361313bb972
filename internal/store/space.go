package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// ErrNoSpace is returned by Write while less than Options.MinFreeBytes are free.
var ErrNoSpace = errors.New("too little space on the disk")

const (
	// engineMinFreeBytes is the space below which VictoriaMetrics takes nothing at all, the
	// sidecar's own metrics neither.
	engineMinFreeBytes = leastMinFreeBytes / 2
	// spaceInterval is how often the space is looked at.
	spaceInterval = time.Second
	// reserveName is the file that is given up when the disk is full.
	reserveName = "reserve"
	// reserveShare is the part of Options.MinFreeBytes that the reserve is.
	reserveShare = 8
)

// level is what is taken at some free space.
type level int

const (
	takesNothing level = iota
	// takesOwn is what the sidecar has to say of itself.
	takesOwn
	takesAll
)

// space is the room on the disk of a store. Others fill disks, too, and in a second: the
// engine then still has a minute's samples in memory, and ends the process when it cannot
// write them. So they are written as soon as none are taken any more, and where nothing is
// free by then, to the place of a file that is there for that. Later would be too late: who
// fills the disk takes that place as well.
type space struct {
	dir string
	// minBytes must be free for Write, reserveBytes is the size of the reserve.
	minBytes, reserveBytes int64
	// save writes to disk what is in memory; nil while the engine is not open.
	save func() error
	log  *slog.Logger

	// free is what was free at the last look.
	free atomic.Int64
	// held says that there is a reserve, and last what was taken since the last look. They
	// belong to the looks.
	held bool
	last level
}

func newSpace(opts Options) *space {
	s := &space{
		dir: opts.Dir, minBytes: opts.MinFreeBytes, reserveBytes: opts.MinFreeBytes / reserveShare,
		log: opts.Logger, last: takesAll,
	}
	s.free.Store(math.MaxInt64)
	info, err := os.Lstat(s.reserve())
	s.held = err == nil && info.Mode().IsRegular() && info.Size() == s.reserveBytes
	return s
}

// reserve is the path of the reserve.
func (s *space) reserve() string { return filepath.Join(s.dir, reserveName) }

// watch looks until ctx ends.
func (s *space) watch(ctx context.Context) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look()
		}
	}
}

// look looks at what is free.
func (s *space) look() {
	if free, err := host.FreeBytes(s.dir); err == nil { // else the engine will have more to say of it
		s.note(free)
	}
}

// note notes what is free. It gives the reserve up where that is less than the reserve
// itself, and makes it again where that leaves enough for samples. When less is taken than
// before, what is in memory is written.
func (s *space) note(free int64) {
	s.free.Store(free) // first: what is refused now needs no room
	taken := s.taken()
	fewer := taken < s.last
	s.last = taken
	switch {
	case s.held && free < s.reserveBytes:
		s.giveUp(free)
	case fewer && free >= leastMinFreeBytes/reserveShare:
		s.write()
	case !s.held && free > s.minBytes+s.reserveBytes:
		s.held = s.makeReserve() == nil // else at another look
	}
}

// giveUp writes what is in memory to the place of the reserve.
func (s *space) giveUp(free int64) {
	s.held = false
	if err := os.Remove(s.reserve()); err != nil {
		s.log.Error("the disk is full, and the store's reserve cannot be given up", slog.Any("error", err))
		return
	}
	s.write()
	s.log.Error("the disk is full: the store's reserve is given up for samples that were in memory only; make room",
		slog.String("dir", s.dir), slog.Int64("free_bytes", free), slog.Int64("reserve_bytes", s.reserveBytes))
}

// write saves, once the engine is open.
func (s *space) write() {
	if s.save == nil {
		return
	}
	if err := s.save(); err != nil {
		s.log.Warn("little space is left, and what is in memory cannot be written before it is due", slog.Any("error", err))
	}
}

// makeReserve writes the file: one without blocks would keep nothing free.
func (s *space) makeReserve() error {
	f, err := os.OpenFile(filepath.Clean(s.reserve()), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, zeros{}, s.reserveBytes)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(s.reserve()))
	}
	return nil
}

// zeros is read without an end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// taken is what is taken at the free space of the last look.
func (s *space) taken() level {
	switch free := s.free.Load(); {
	case free >= s.minBytes:
		return takesAll
	case free >= engineMinFreeBytes:
		return takesOwn
	default:
		return takesNothing
	}
}

// refusal is ErrNoSpace in full where less than that is taken, else nil.
func (s *space) refusal(what level) error {
	if s.taken() >= what {
		return nil
	}
	return s.tooLittle()
}

// tooLittle says how much there is by now: the engine may have looked since the last look.
func (s *space) tooLittle() error {
	free, err := host.FreeBytes(s.dir)
	if err != nil {
		free = s.free.Load()
	}
	return fmt.Errorf("%w: %s free at %s, samples are taken again from %s on (store.min_free_disk): make room",
		ErrNoSpace, unit.Bytes(free), s.dir, unit.Bytes(s.minBytes))
}
