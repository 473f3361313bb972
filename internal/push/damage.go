package push

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// damage is a place without a record: what one was there is lost. What is behind it is
// found by looking for it, as the length that would lead there may be what is damaged.
type damage struct {
	// extent is the number of bytes to the next whole record, or to the end where there
	// is none.
	extent int64
	// samples is how many are lost as far as can be told, one at least.
	samples int
	what    string
}

func (d *damage) Error() string { return d.what }

// patience is how long the disk may take to give a record back that it has failed to.
const patience = time.Minute

// unread is a place in the log that the disk does not give back, and since when.
type unread struct {
	at    uint64
	since time.Time
}

// lost tells whether reading at an offset fails for so long that what is there is given up:
// what is behind it must not wait for ever.
func (u *unread) lost(at uint64, err error, now time.Time) bool {
	if !errors.Is(err, unix.EIO) {
		if u.at == at { // given back: should it fail later, patience begins anew
			*u = unread{}
		}
		return false
	}
	if u.at != at || u.since.IsZero() {
		u.at, u.since = at, now
	}
	return now.Sub(u.since) >= patience
}

// notGivenBack is the damage at the offset of a file that the disk does not give back from
// there on.
func notGivenBack(off, size int64) *damage {
	return &damage{extent: size - off, samples: 1, what: "the disk does not give it back"}
}

// newDamage looks from off on, where no record is, for the next one.
func newDamage(f io.ReaderAt, off, size int64, buf *[]byte, what string) *damage {
	d := &damage{extent: nextRecord(f, off+1, size, buf) - off, samples: 1, what: what}
	head := make([]byte, headBytes+metaBytes)
	if _, err := f.ReadAt(head, off); err == nil {
		// No sample takes less than an eighth of a byte: beyond that the count is damaged, too.
		if samples := sampleCount(head); samples > 0 && int64(samples) <= 8*d.extent {
			d.samples = samples
		}
	}
	return d
}

// nextRecord is the offset of the first whole record from off on; size if there is none.
func nextRecord(f io.ReaderAt, off, size int64, buf *[]byte) int64 {
	const least = headBytes + metaBytes
	block := make([]byte, 64<<10)
	for size-off >= least {
		part := block[:min(int64(len(block)), size-off)]
		if _, err := f.ReadAt(part, off); err != nil {
			return size
		}
		for i := range len(part) - least + 1 {
			if at := off + int64(i); likelyRecord(part[i:], size-at) && isRecord(f, at, part[i:], buf) {
				return at
			}
		}
		off += int64(len(part) - least + 1)
	}
	return size
}

// likelyRecord tells whether a record may begin here, with so many bytes to the end of its
// segment: few other places pass, so that few checksums are computed in vain.
func likelyRecord(b []byte, left int64) bool {
	return possibleLength(int64(binary.LittleEndian.Uint32(b)), left) &&
		binary.LittleEndian.Uint64(b[headBytes:]) < 1<<47 && // the year 6429
		sampleCount(b) < 1<<24
}

// possibleLength tells whether a body may be n bytes long, with so many bytes from its head
// to the end of its segment.
func possibleLength(n, left int64) bool {
	return metaBytes <= n && n <= maxBodyBytes && n <= left-headBytes
}

// sampleCount is what the record that begins with b says of its samples.
func sampleCount(b []byte) int {
	return int(binary.LittleEndian.Uint32(b[headBytes+8:]))
}

// isRecord tells whether the record at off that begins with head, of a possible length, has
// the right checksum.
func isRecord(f io.ReaderAt, off int64, head []byte, buf *[]byte) bool {
	_, intact, err := readBody(f, off, head, buf)
	return err == nil && intact
}
