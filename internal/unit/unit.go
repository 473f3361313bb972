// Package unit is how numbers read: bytes, counts, durations and shares, one
// way in every output of both programs; and how strings from outside do.
package unit

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// byteDigits is how many digits of a size are worth reading.
const byteDigits = 3

// Bytes renders a size with a binary unit and three digits, such as
// "19.6 MiB". The unit is 1024-based as -Xmx is.
func Bytes(n int64) string {
	if -1024 < n && n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	if n < 0 {
		return "-" + humanize.IBytesN(magnitude(n), byteDigits)
	}
	return humanize.IBytesN(uint64(n), byteDigits)
}

// magnitude is |n| for a negative n, also where -n does not fit an int64.
func magnitude(n int64) uint64 { return -uint64(n) }

// ParseBytes reads a size such as "50MiB", "50 MB", "1.5g" or "1048576". As -Xmx does, it
// counts by 1024 whichever way the unit is written.
func ParseBytes(s string) (int64, error) {
	number := strings.TrimSpace(s)
	split := strings.IndexFunc(number, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	name := ""
	if split >= 0 {
		number, name = number[:split], strings.ToLower(strings.TrimSpace(number[split:]))
	}
	shift := strings.IndexByte("bkmgt", (name + "b")[0])
	rest := strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(name, "b"), "i"), "bkmgt"[max(shift, 0):max(shift, 0)+1])
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || shift < 0 || rest != "" || value*math.Pow(1024, float64(shift)) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size such as 50MiB or 1048576", s)
	}
	return int64(value * math.Pow(1024, float64(shift))), nil
}

// Count renders a number with thousands separators, such as "30,000".
func Count(n int64) string { return humanize.Comma(n) }

// Plural renders a count with its noun, such as "1 task" and "30,000 tasks".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Share renders part of whole in percent with one decimal, such as "79.9 %".
// It says "-" where there is no whole, and never rounds what is not all of it
// to 100 % nor what is not nothing to 0 %.
func Share(part, whole int64) string {
	if whole <= 0 || part < 0 {
		return "-"
	}
	permille := int64(1000)
	if part < whole {
		hi, lo := bits.Mul64(uint64(part), 1000)
		hi, lo = addHalf(hi, lo, uint64(whole))
		quotient, _ := bits.Div64(hi, lo, uint64(whole))
		permille = int64(quotient)
	} else if part > whole {
		permille = int64(math.Round(1000 * float64(part) / float64(whole)))
	}
	switch {
	case part > 0 && permille == 0:
		return "<0.1 %"
	case part < whole && permille >= 1000:
		return ">99.9 %"
	}
	return strconv.FormatInt(permille/10, 10) + "." + strconv.FormatInt(permille%10, 10) + " %"
}

// addHalf adds half of whole to the 128-bit number hi:lo, so that a division
// by whole rounds to the nearest.
func addHalf(hi, lo, whole uint64) (uint64, uint64) {
	lo, carry := bits.Add64(lo, whole/2, 0)
	return hi + carry, lo
}

// Duration renders the two biggest units of a duration, such as "49 min 12 s",
// "3 h" or "250 ms".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(positive(d))
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute && d%time.Second != 0:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return pair(d, time.Minute, " min", time.Second, " s")
	case d < 24*time.Hour:
		return pair(d, time.Hour, " h", time.Minute, " min")
	default:
		return pair(d, 24*time.Hour, " d", time.Hour, " h")
	}
}

// positive is -d, also for the one duration whose negation does not fit.
func positive(d time.Duration) time.Duration {
	if d == math.MinInt64 {
		return math.MaxInt64
	}
	return -d
}

// pair renders d in a big and a small unit, leaving out the one that is zero.
func pair(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	whole := int64(d / big)
	rest := int64(d % big / small)
	switch {
	case whole == 0:
		return strconv.FormatInt(rest, 10) + smallName
	case rest == 0:
		return strconv.FormatInt(whole, 10) + bigName
	}
	return strconv.FormatInt(whole, 10) + bigName + " " + strconv.FormatInt(rest, 10) + smallName
}
