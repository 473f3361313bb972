package hprof_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestManyRecordsArePlanned: what a file has by the million may take no memory that nobody counted on.
func TestManyRecordsArePlanned(t *testing.T) {
	const n = 800_000
	var records []byte
	for i := range uint32(n) {
		b := binary.BigEndian.AppendUint32(nil, i)
		b = binary.BigEndian.AppendUint64(b, uint64(i)*8)
		b = binary.BigEndian.AppendUint32(b, 0)
		records = append(records, rec(hprof.TagLoadClass, binary.BigEndian.AppendUint64(b, 1))...)
	}
	f, err := open(t, raw(records))
	require.NoError(t, err)

	tooMuch := errors.New("too much")
	memory := &offheap.Memory{}
	var taken int64
	memory.Planner = func(offheap.Need) error {
		taken = memory.Reserved()
		return tooMuch
	}
	_, err = f.Outline(t.Context(), memory)
	require.ErrorIs(t, err, tooMuch)
	assert.Less(t, taken, int64(20<<20))
	assert.Zero(t, memory.Reserved(), "all is given back")

	o, err := f.Outline(t.Context(), &offheap.Memory{})
	require.NoError(t, err)
	defer o.Free()
	require.Equal(t, n, o.Classes.Len())
	assert.Equal(t, hprof.LoadedClass{Serial: n - 1, ID: (n - 1) * 8, NameID: 1}, o.Classes.At(n-1))
}
