package ring

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// What is written can be read again: both sides have the same bounds.
func TestARecordThatIsTooLongIsNotKept(t *testing.T) {
	t.Parallel()
	var e encoder
	noise := make([]byte, maxBodyBytes)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	for name, r := range map[string]*tx.Record{
		"summary": {ID: "a", Route: strings.Repeat("x", maxSummaryBytes)},
		"body":    {ID: "a", SQL: []tx.SQL{{Text: base64.StdEncoding.EncodeToString(noise)}}},
	} {
		_, err := e.encode(r)
		require.ErrorContains(t, err, "record a is too long to keep", name)
	}
	frame, err := e.encode(&tx.Record{ID: "a", SQL: []tx.SQL{{Text: strings.Repeat("x", maxBodyBytes)}}})
	require.NoError(t, err, "packed it is short")
	_, _, length, err := readFrame(bytes.NewReader(frame))
	require.NoError(t, err)
	assert.Equal(t, int64(len(frame)), length)
}

func TestADamagedLengthAsksForNoMemory(t *testing.T) {
	for _, lengths := range [][2]uint32{{1 << 30, 1}, {1, 1 << 30}} {
		head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, lengths[0]), lengths[1])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _, err := readFrame(bytes.NewReader(append(head, make([]byte, 100)...)))
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, errTorn)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100<<20))
	}
}
