package jvm

import "math"

// Opt is a value that may be missing. The zero Opt is missing, so a part nobody
// could read never looks like a zero.
type Opt[T any] struct {
	value T
	known bool
}

// Some is a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{value: v, known: true} }

// Get returns the value and whether it is known.
func (o Opt[T]) Get() (T, bool) { return o.value, o.known }

// Known tells whether there is a value.
func (o Opt[T]) Known() bool { return o.known }

// Or is the value, or fallback where it is missing.
func (o Opt[T]) Or(fallback T) T {
	if o.known {
		return o.value
	}
	return fallback
}

// Count takes an integer as JMX gives it. Negative numbers and the greatest long
// are how JMX says "undefined" (java.lang.management.MemoryUsage, javadoc of
// getMax; UnixOperatingSystemMXBean without a limit): they are missing.
func Count(v int64) Opt[int64] {
	if v < 0 || v == math.MaxInt64 {
		return Opt[int64]{}
	}
	return Some(v)
}

// Load takes a load or a share as JMX gives it: negative or not finite means
// that the platform does not know it.
func Load(v float64) Opt[float64] {
	if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return Opt[float64]{}
	}
	return Some(v)
}
