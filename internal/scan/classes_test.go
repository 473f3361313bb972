package scan_test

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// TestClassesTakeNoMoreThanIsAllowed: a million of them, which are named and not described, took 660 MB
// of any limit.
func TestClassesTakeNoMoreThanIsAllowed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits are kept on Linux only")
	}
	const classes = 1_000_000
	d := hproftest.New(8)
	d.New(d.Class("java.lang.Object", nil))
	dump := d.Encode(hproftest.Shape{})
	for i := range uint64(classes) { // tag, u4 us, u4 length, u4 serial, id class, u4 trace, id name
		dump = append(dump, 2, 0, 0, 0, 0, 0, 0, 0, 24)
		dump = binary.BigEndian.AppendUint32(dump, uint32(i+1))
		dump = binary.BigEndian.AppendUint64(dump, 0x10000000+96*i)
		dump = binary.BigEndian.AppendUint32(dump, 1)
		dump = binary.BigEndian.AppendUint64(dump, 1)
	}
	path := hproftest.WriteBytes(t, dump)
	debug.FreeOSMemory()
	now, err := offheap.Resident()
	require.NoError(t, err)
	limit := now + 96<<20
	_, err = scan.File(t.Context(), path, scan.Options{Depth: heap.Counted, MaxMemoryBytes: limit})
	var memory *scan.MemoryError
	require.ErrorAs(t, err, &memory)
	assert.Greater(t, memory.NeedBytes, limit, "refused before they are made: %v", err)
}
