package push

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A segment file is a row of records:
//
//	u32 length of body | u32 CRC-32C of body | body = i64 Unix ms | u32 samples | payload
//
// all little-endian. Its name is the logical offset of its first byte, 16 hex
// digits; logical offsets grow for ever and are never reused.
const (
	segmentSuffix = ".seg"
	headBytes     = 8
	metaBytes     = 12
	// maxBodyBytes bounds what a length field may claim.
	maxBodyBytes = 16 << 20
)

// record is one appended batch.
type record struct {
	// timeMs is the time of the append in milliseconds since the Unix epoch.
	timeMs int64
	// samples is the number of samples in payload.
	samples int
	// payload belongs to the reader's buffer: valid until its next read.
	payload []byte
}

// appendRecord appends the encoded form of r to dst.
func appendRecord(dst []byte, r record) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headBytes)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.timeMs))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(r.samples))
	dst = append(dst, r.payload...)
	body := dst[start+headBytes:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(dst[start+4:], checksum(body))
	return dst
}

// checksum is CRC-32C.
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}

// readRecord reads the record at off of f, of which size bytes are in use, and
// returns it with its length in bytes. A bad record is a *damage error.
func readRecord(f io.ReaderAt, off, size int64, buf *[]byte) (record, int64, error) {
	if size-off < headBytes {
		return record{}, 0, &damage{extent: size - off, samples: 1, what: "cut in its head"}
	}
	var head [headBytes]byte
	if _, err := f.ReadAt(head[:], off); err != nil {
		return record{}, 0, unreadable(err, off, size)
	}
	if n := int64(binary.LittleEndian.Uint32(head[:])); !possibleLength(n, size-off) {
		return record{}, 0, newDamage(f, off, size, buf, fmt.Sprintf("impossible length %d", n))
	}
	body, intact, err := readBody(f, off, head[:], buf)
	if err != nil {
		return record{}, 0, unreadable(err, off, size)
	}
	if !intact {
		return record{}, 0, newDamage(f, off, size, buf, "checksum mismatch")
	}
	return record{
		timeMs:  int64(binary.LittleEndian.Uint64(body)),
		samples: int(binary.LittleEndian.Uint32(body[8:])),
		payload: body[metaBytes:],
	}, headBytes + int64(len(body)), nil
}

// unreadable is why the record at off cannot be read: a file that is shorter than the size
// that was written is damaged from there on, all else may pass.
func unreadable(err error, off, size int64) error {
	if errors.Is(err, io.EOF) {
		return &damage{extent: size - off, samples: 1, what: "the file was cut"}
	}
	return fmt.Errorf("read record at offset %d: %w", off, err)
}

// readBody reads the body of the record at off that begins with head, whose length is
// possible, and tells whether it is what was written.
func readBody(f io.ReaderAt, off int64, head []byte, buf *[]byte) (body []byte, intact bool, err error) {
	n := int(binary.LittleEndian.Uint32(head))
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	body = (*buf)[:n]
	if _, err := f.ReadAt(body, off+headBytes); err != nil {
		return nil, false, err
	}
	return body, checksum(body) == binary.LittleEndian.Uint32(head[4:]), nil
}

// segment is what the queue knows of one file.
type segment struct {
	path string
	// base is the logical offset of the first byte.
	base uint64
	// size is the number of bytes in use; what lies behind is a torn tail.
	size int64
	// samples counts those in whole records, done those of them that were
	// acknowledged.
	samples, done int
	// unsynced is the file where it is not written to any more and not on the disk itself
	// yet; nil else.
	unsynced appendFile
	// memory is where the segment is, if it is on no disk; nil else.
	memory *memoryFile
}

// end is the logical offset behind the last record.
func (s *segment) end() uint64 { return s.base + uint64(s.size) }

// pending is the number of samples not acknowledged.
func (s *segment) pending() int { return s.samples - s.done }

// segmentPath names the file of the segment that starts at base.
func segmentPath(dir string, base uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x", base)+segmentSuffix)
}

// parseSegmentName is the inverse of segmentPath for the last element.
func parseSegmentName(name string) (base uint64, ok bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	base, err := strconv.ParseUint(hex, 16, 64)
	return base, err == nil
}

// scanned is what reading a segment from end to end tells.
type scanned struct {
	segment
	// damaged are the bad places that have good records behind them, tail those that have
	// none, which in the last segment are what was being written.
	damaged, tail badPlaces
	// onBoundary says that the cursor lies at the start of a record or at the end.
	onBoundary bool
}

// badPlaces counts places without a record, and the samples behind the cursor that are lost
// with them, as far as can be told.
type badPlaces struct{ count, samples int }

// and are both together.
func (b badPlaces) and(other badPlaces) badPlaces {
	return badPlaces{b.count + other.count, b.samples + other.samples}
}

// scanSegment reads the whole segment and checks every record. Samples before
// cursor count as done. size becomes the end of the last good record.
func scanSegment(path string, base, cursor uint64, buf *[]byte) (scanned, error) {
	s := scanned{segment: segment{path: path, base: base}}
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	err = s.scan(f, info.Size(), cursor, buf)
	return s, err
}

// scan reads the size bytes of f. What the disk does not give back now may never come, and
// must not keep the sidecar from its start.
func (s *scanned) scan(f io.ReaderAt, size int64, cursor uint64, buf *[]byte) error {
	for off := int64(0); off < size; {
		at := s.base + uint64(off)
		s.onBoundary = s.onBoundary || at == cursor
		r, n, err := readRecord(f, off, size, buf)
		if errors.Is(err, unix.EIO) {
			s.damaged = s.damaged.and(badPlaces{1, 1})
			return nil
		}
		d, damaged := errors.AsType[*damage](err)
		switch {
		case damaged:
			s.tail.count++
			if at >= cursor {
				s.tail.samples += d.samples
			}
			off += d.extent
			continue
		case err != nil:
			return err
		}
		off += n
		s.size = off
		s.damaged, s.tail = s.damaged.and(s.tail), badPlaces{}
		s.samples += r.samples
		if at < cursor {
			s.done += r.samples
		}
	}
	s.onBoundary = s.onBoundary || s.end() == cursor
	return nil
}
