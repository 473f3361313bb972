package push

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The cursor file tells up to which logical offset everything is acknowledged:
//
//	u32 magic | u64 offset | u32 CRC-32C of both
//
// It is rewritten in place by one write of 16 bytes, so a killed process leaves
// the old or the new one. The file is opened each time: the folder may have been mounted
// anew or restored since the last one, and what was acknowledged must be remembered there.
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

// writeCursor writes the offset into the folder of a queue.
func writeCursor(dir string, offset uint64) error {
	f, err := openOwn(filepath.Join(dir, cursorName))
	if err != nil {
		return err
	}
	_, err = f.WriteAt(appendCursor(nil, offset), 0)
	return errors.Join(err, f.Close())
}

// readCursor reads the offset in the folder of a queue. No file, or an empty one, is offset
// 0: a new queue. One that holds no cursor is removed, and the error wraps errBadCursor.
func readCursor(dir string) (uint64, error) {
	path := filepath.Join(dir, cursorName)
	f, err := openOwn(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, cursorBytes+1))
	if err != nil {
		return 0, fmt.Errorf("read cursor: %w", err)
	}
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) != cursorBytes ||
		binary.LittleEndian.Uint32(b) != cursorMagic ||
		binary.LittleEndian.Uint32(b[12:]) != checksum(b[:12]) {
		return 0, errors.Join(errBadCursor, os.Remove(path))
	}
	return binary.LittleEndian.Uint64(b[4:]), nil
}
