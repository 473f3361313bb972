package push

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

const (
	deadLetterFolder = "rejected"
	deadLetterSuffix = ".pb.zst"
	// partSuffix is behind the name of one that is being written.
	partSuffix     = ".part"
	maxDeadLetters = 10_000
	// maxDeadLetterBytes bounds the files of one destination.
	maxDeadLetterBytes = 64 << 20
)

// deadLetters keeps what a receiver refused, one file a record, as it would be
// sent: a WriteRequest in a zstd frame. The oldest ones go when there are too
// many. put is called by one goroutine.
type deadLetters struct {
	dir string
	// letters are the files, oldest first: their names sort by time.
	letters []deadLetter
	// serial is how many this process has put.
	serial int
	// bytes is the size of the files; evicted counts samples in deleted ones.
	bytes, evicted atomic.Int64
}

// deadLetter is one file: "UNIXMILLIS-SERIAL-SAMPLES.pb.zst".
type deadLetter struct {
	name    string
	samples int
	bytes   int64
}

// openDeadLetters finds what earlier processes left in the folder of a queue. What one was
// writing as it was killed is removed.
func openDeadLetters(queueDir string) (*deadLetters, error) {
	d := &deadLetters{dir: filepath.Join(queueDir, deadLetterFolder)}
	entries, err := os.ReadDir(d.dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("push: dead letters: %w", err)
	}
	for _, e := range entries {
		var at, serial int64
		l := deadLetter{name: e.Name()}
		if strings.HasSuffix(l.name, deadLetterSuffix+partSuffix) {
			_ = os.Remove(filepath.Join(d.dir, l.name)) // the next start tries again
			continue
		}
		stem, ok := strings.CutSuffix(l.name, deadLetterSuffix)
		if n, _ := fmt.Sscanf(stem, "%d-%d-%d", &at, &serial, &l.samples); !ok || n != 3 {
			continue
		}
		if info, err := e.Info(); err == nil {
			l.bytes = info.Size()
			d.bytes.Add(l.bytes)
			d.letters = append(d.letters, l)
		}
	}
	return d, nil
}

// put keeps one refused WriteRequest, which is in a zstd frame.
func (d *deadLetters) put(frame []byte, samples int, at time.Time) error {
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return err
	}
	l := deadLetter{
		name:    fmt.Sprintf("%013d-%06d-%d%s", at.UnixMilli(), d.serial, samples, deadLetterSuffix),
		samples: samples,
		bytes:   int64(len(frame)),
	}
	d.serial++
	path := filepath.Join(d.dir, l.name)
	if err := os.WriteFile(path+partSuffix, frame, 0o640); err != nil {
		_ = os.Remove(path + partSuffix) // the error that counts is the first one
		return err
	}
	if err := os.Rename(path+partSuffix, path); err != nil {
		return err
	}
	d.letters = append(d.letters, l)
	d.bytes.Add(l.bytes)
	return d.evict()
}

// evict deletes the oldest letters beyond the bounds.
func (d *deadLetters) evict() error {
	for len(d.letters) > maxDeadLetters || d.bytes.Load() > maxDeadLetterBytes {
		oldest := d.letters[0]
		if err := os.Remove(filepath.Join(d.dir, oldest.name)); err != nil && !os.IsNotExist(err) {
			return err
		}
		d.letters = d.letters[1:]
		d.bytes.Add(-oldest.bytes)
		d.evicted.Add(int64(oldest.samples))
	}
	return nil
}
