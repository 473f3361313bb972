package host

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	info := make([]byte, leastRTTAt+4)
	binary.NativeEndian.PutUint32(info[rttAt:], 900)
	assert.Equal(t, 900*time.Microsecond, roundTrip(info[:infoBytes]), "Linux before 4.6")
	binary.NativeEndian.PutUint32(info[leastRTTAt:], 70)
	assert.Equal(t, 70*time.Microsecond, roundTrip(info))
	binary.NativeEndian.PutUint32(info[leastRTTAt:], 0xffffffff)
	assert.Zero(t, roundTrip(info), "nobody has answered yet")
}
