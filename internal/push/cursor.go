package push

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The cursor file tells up to which logical offset everything is acknowledged:
//
//	u32 magic | u64 offset | u32 CRC-32C of both
//
// It is rewritten in place by one write of 16 bytes, so a killed process leaves
// the old or the new one.
const (
	cursorName  = "cursor"
	cursorBytes = 16
	cursorMagic = 0x43504d41 // "AMPC"
)

// errBadCursor says that the file is no cursor: everything is to be replayed.
var errBadCursor = errors.New("bad cursor")

// appendCursor appends the encoded form of offset to dst.
func appendCursor(dst []byte, offset uint64) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, cursorMagic)
	dst = binary.LittleEndian.AppendUint64(dst, offset)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// readCursor reads the offset from f. An empty file is offset 0: a new queue.
func readCursor(f *os.File) (uint64, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, cursorBytes+1))
	if err != nil {
		return 0, fmt.Errorf("read cursor: %w", err)
	}
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) != cursorBytes ||
		binary.LittleEndian.Uint32(b) != cursorMagic ||
		binary.LittleEndian.Uint32(b[12:]) != checksum(b[:12]) {
		return 0, errBadCursor
	}
	return binary.LittleEndian.Uint64(b[4:]), nil
}
