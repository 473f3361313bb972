package hprof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// Header is the beginning of a dump.
type Header struct {
	// Version is "1.0", "1.0.1", "1.0.2" or "1.0.3".
	Version string
	// IDSize is the width of object ids in bytes, 4 or 8.
	IDSize int
	// Created is when the dump was begun, by the JVM's clock (see Instant).
	Created time.Time
	// Length is the size of the header itself in bytes.
	Length int64
}

const (
	magic = "JAVA PROFILE "
	// maxVersion bounds the search for the end of the version string.
	maxVersion = 16
)

// readHeader decodes the header at the start of r.
//
// Source: u1[] "JAVA PROFILE x.y.z" NUL, u4 id size, u8 milliseconds since epoch.
func readHeader(r io.ReaderAt) (Header, error) {
	buf := make([]byte, len(magic)+maxVersion+1+12)
	n, err := r.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return Header{}, fmt.Errorf("read header: %w", err)
	}
	buf = buf[:n]
	cut := &Error{Offset: int64(n), What: "header", Err: ErrTruncated}
	if n == 0 {
		return Header{}, &Error{Offset: 0, What: "header", Err: ErrEmpty}
	}
	if strings.HasPrefix(magic, string(buf)) {
		return Header{}, cut
	}
	if !bytes.HasPrefix(buf, []byte(magic)) {
		return Header{}, &Error{Offset: 0, What: "header", Err: ErrNotHprof}
	}
	end := bytes.IndexByte(buf, 0)
	if end < 0 && n < len(magic)+maxVersion {
		return Header{}, cut
	}
	if end < 0 {
		return Header{}, &Error{Offset: int64(len(magic)), What: "header version", Err: ErrNotHprof}
	}
	version := string(buf[len(magic):end])
	if !strings.HasPrefix(version, "1.0") {
		return Header{}, &Error{Offset: int64(len(magic)), What: fmt.Sprintf("header version %q", version), Err: ErrNotHprof}
	}
	rest := buf[end+1:]
	if len(rest) < 12 {
		return Header{}, cut
	}
	idSize := binary.BigEndian.Uint32(rest)
	if idSize != 4 && idSize != 8 {
		return Header{}, &Error{Offset: int64(end + 1), What: fmt.Sprintf("id size %d (4 or 8 expected)", idSize), Err: ErrNotHprof}
	}
	ms := int64(binary.BigEndian.Uint64(rest[4:]))
	return Header{
		Version: version,
		IDSize:  int(idSize),
		Created: Instant(ms),
		Length:  int64(end + 1 + 12),
	}, nil
}

// Instants that RFC 3339 can write, in milliseconds: the years 1 to 9999. A damaged header
// has others, and a Timer's task may be due 292 million years from now.
const (
	firstInstant = -62_135_596_800_000
	lastInstant  = 253_402_300_799_000
)

// Instant is a Java time in milliseconds since the Unix epoch, in UTC, moved to where RFC 3339
// can write it.
func Instant(ms int64) time.Time { return time.UnixMilli(Millis(ms)).UTC() }

// Millis is Instant in milliseconds, for those who compare many.
func Millis(ms int64) int64 { return min(max(ms, firstInstant), lastInstant) }
