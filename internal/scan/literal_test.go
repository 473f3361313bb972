package scan

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

func TestJavaLiteral(t *testing.T) {
	minus := func(n int64) uint64 { return uint64(-n) }
	for _, c := range []struct {
		t    hprof.Type
		v    uint64
		want string
	}{
		{hprof.TypeBoolean, 0, "false"}, {hprof.TypeBoolean, 1, "true"}, {hprof.TypeChar, 'x', "'x'"}, {hprof.TypeChar, 0x1b, `'\x1b'`},
		{hprof.TypeByte, minus(1), "-1"}, {hprof.TypeByte, 0xff, "-1"}, {hprof.TypeShort, 0x8000, "-32768"}, {hprof.TypeInt, 0xffffffff, "-1"},
		{hprof.TypeInt, minus(7), "-7"}, {hprof.TypeLong, minus(1 << 62), "-4611686018427387904"},
		{hprof.TypeFloat, uint64(math.Float32bits(0.1)), "0.1"}, {hprof.TypeFloat, uint64(math.Float32bits(3)), "3.0"},
		{hprof.TypeDouble, math.Float64bits(-2.5e300), "-2.5e+300"}, {hprof.TypeDouble, math.Float64bits(math.Inf(-1)), "-Infinity"},
		{hprof.TypeDouble, math.Float64bits(math.Inf(1)), "Infinity"}, {hprof.TypeDouble, math.Float64bits(math.NaN()), "NaN"},
	} {
		assert.Equal(t, c.want, javaLiteral(c.t, c.v), "%s %#x", c.t.JavaName(), c.v)
	}
}

func TestFirstRunes(t *testing.T) {
	assert.Equal(t, "한글", firstRunes("한글입", 2))
	assert.Equal(t, "한글", firstRunes("한글", 2))
	assert.Empty(t, firstRunes("x", 0))
}
