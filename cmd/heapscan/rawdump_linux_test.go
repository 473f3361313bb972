package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// rawDump is a dump with ids of 8 bytes that a test writes record by record: hproftest has all objects of one in memory.
type rawDump struct {
	t    *testing.T
	file *os.File
	w    *bufio.Writer
}

func newRawDump(t *testing.T, name string) *rawDump {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), name))
	require.NoError(t, err)
	d := &rawDump{t, file, bufio.NewWriterSize(file, 1<<20)}
	d.put([]byte("JAVA PROFILE 1.0.2\x00"), uint32(8), uint64(1_700_000_000_000))
	return d
}

// record writes a record whose body are the parts, of fixed size or bytes.
func (d *rawDump) record(tag uint8, body ...any) {
	n := 0
	for _, p := range body {
		n += binary.Size(p)
	}
	d.put(append([]any{tag, uint32(0), uint32(n)}, body...)...)
}

func (d *rawDump) put(parts ...any) {
	for _, p := range parts {
		require.NoError(d.t, binary.Write(d.w, binary.BigEndian, p))
	}
}

// finish writes the end and returns the dump's path.
func (d *rawDump) finish() string {
	d.record(0x2c)
	require.NoError(d.t, d.w.Flush())
	require.NoError(d.t, d.file.Close())
	return d.file.Name()
}
