package scan

import (
	"math"
	"strconv"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// typeName names the type of a field.
func typeName(t hprof.Type) string {
	if t == hprof.TypeObject {
		return "object"
	}
	return t.JavaName()
}

// javaLiteral renders a primitive value, raw bits or sign-extended, much as Java source
// writes it.
func javaLiteral(t hprof.Type, v uint64) string {
	switch t {
	case hprof.TypeBoolean:
		return strconv.FormatBool(v&0xff != 0)
	case hprof.TypeChar:
		return strconv.QuoteRune(rune(uint16(v)))
	case hprof.TypeFloat:
		return floating(float64(math.Float32frombits(uint32(v))), 32)
	case hprof.TypeDouble:
		return floating(math.Float64frombits(v), 64)
	case hprof.TypeByte:
		return strconv.FormatInt(int64(int8(v)), 10)
	case hprof.TypeShort:
		return strconv.FormatInt(int64(int16(v)), 10)
	case hprof.TypeInt:
		return strconv.FormatInt(int64(int32(v)), 10)
	}
	return strconv.FormatInt(int64(v), 10)
}

// floating renders a floating-point number in the fewest digits that give it back, with
// a point where Java would take it for an integer otherwise.
func floating(v float64, bits int) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	case math.IsNaN(v):
		return "NaN"
	case v == math.Trunc(v) && math.Abs(v) < 1e7:
		return strconv.FormatFloat(v, 'f', 1, bits)
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}
