package unit

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestBytes(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		assert.Equal(t, want, Bytes(n))
	}
	f(0, "0 B")
	f(1, "1 B")
	f(32, "32 B")
	f(-32, "-32 B")
	f(1023, "1023 B")
	f(1024, "1.00 KiB")
	f(20_551_000, "19.6 MiB")
	f(256<<20, "256 MiB")
	f(-2048, "-2.00 KiB")
	f(math.MaxInt64, "8.00 EiB")
	f(math.MinInt64, "-8.00 EiB")
}

func TestCount(t *testing.T) {
	assert.Equal(t, "30,000", Count(30_000))
	assert.Equal(t, "-9,223,372,036,854,775,808", Count(math.MinInt64))
	assert.Equal(t, "1 task", Plural(1, "task", "tasks"))
	assert.Equal(t, "0 tasks", Plural(0, "task", "tasks"))
	assert.Equal(t, "30,000 tasks", Plural(30_000, "task", "tasks"))
}

func TestShare(t *testing.T) {
	f := func(part, whole int64, want string) {
		t.Helper()
		assert.Equal(t, want, Share(part, whole))
	}
	f(1, 3, "33.3 %")
	f(2, 3, "66.7 %")
	f(0, 5, "0.0 %")
	f(5, 5, "100.0 %")
	f(3, 2, "150.0 %")
	f(1, 1_000_000, "<0.1 %")
	f(999_999, 1_000_000, ">99.9 %")
	f(5, 0, "-")
	f(math.MaxInt64-1, math.MaxInt64, ">99.9 %")
	f(math.MaxInt64/2, math.MaxInt64, "50.0 %")
}

func TestDuration(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		assert.Equal(t, want, Duration(d))
	}
	f(0, "0 ms")
	f(250*time.Millisecond, "250 ms")
	f(1500*time.Millisecond, "1.5 s")
	f(7*time.Second, "7 s")
	f(49*time.Minute+12*time.Second, "49 min 12 s")
	f(50*time.Minute, "50 min")
	f(3*time.Hour+time.Minute, "3 h 1 min")
	f(26*time.Hour, "1 d 2 h")
	f(-90*time.Second, "-1 min 30 s")
	f(math.MinInt64, "-106751 d 23 h")
}

func TestParseBytes(t *testing.T) {
	f := func(in string, want int64) {
		t.Helper()
		got, err := ParseBytes(in)
		assert.NoError(t, err)
		assert.Equal(t, want, got, in)
	}
	f("0", 0)
	f("1048576", 1<<20)
	f("512 B", 512)
	f("50MiB", 50<<20)
	f("50 MB", 50<<20)
	f("50m", 50<<20)
	f("1.5g", 3<<29)
	f("2T", 2<<40)
	for _, in := range []string{"", "MiB", "-1", "5x", "5 parsecs", "1..2", "9999999999T", "5mm", "5 m b", "ib", "5i"} {
		_, err := ParseBytes(in)
		assert.Error(t, err, in)
	}
}
