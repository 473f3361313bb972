package jmx

import (
	"math"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// failure is an attribute that the agent could not read.
type failure struct{ attribute, reason string }

// failedAttributes finds, among the attributes asked of one MBean, those that
// have an error in their place: an object with ".error" (2.x) or a string that
// begins with "ERROR: " (1.x). The answer to a pattern has none at this level.
func failedAttributes(v value, attributes []string) []failure {
	var failures []failure
	for _, name := range attributes {
		a := v.get(name)
		if !a.exists() {
			continue
		}
		if a.get(".error").bool() {
			failures = append(failures, failure{name, clip(a.get("error").text())})
		} else if s := a.text(); strings.HasPrefix(s, "ERROR: ") {
			failures = append(failures, failure{name, clip(strings.TrimPrefix(s, "ERROR: "))})
		}
	}
	return failures
}

// The readers below take what an agent sent without trusting it. A failed
// attribute arrives as an object (2.x), as a string "ERROR: ..." (1.x) or as
// null: none of them has the type that is wanted, so all of them are missing.

// maxBeans bounds how many MBeans a pattern may match. A JVM has about ten
// pools; more than this is no JVM.
const maxBeans = 256

// maxTextBytes bounds a name taken from an agent: it becomes a label.
const maxTextBytes = 256

func count(v value, key string) jvm.Opt[int64] {
	n, ok := v.get(key).int64()
	if !ok {
		return jvm.Opt[int64]{}
	}
	return jvm.Count(n)
}

// int32Counter reads a counter that Java keeps in an int: past 2^31 it comes back
// negative. The result is its 32 bits.
func int32Counter(v value, key string) jvm.Opt[int64] {
	n, ok := v.get(key).int64()
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(int64(uint32(n)))
}

// msToNs is the factor of scaled for milliseconds that become nanoseconds.
const msToNs = 1_000_000

// scaled is a count times a factor; missing where that is too big.
func scaled(v value, key string, factor int64) jvm.Opt[int64] {
	n, ok := count(v, key).Get()
	if !ok || n > math.MaxInt64/factor {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(n * factor)
}

func load(v value, key string) jvm.Opt[float64] {
	f, ok := v.get(key).float64()
	if !ok {
		return jvm.Opt[float64]{}
	}
	return jvm.Load(f)
}

// text is a string of bounded length, empty for anything else.
func text(v value, key string) string {
	s := v.get(key).text()
	if len(s) > maxTextBytes {
		return ""
	}
	return s
}

// usage reads a MemoryUsage; v may be none.
func usage(v value) jvm.Usage {
	return jvm.Usage{
		Init:      count(v, "init"),
		Used:      count(v, "used"),
		Committed: count(v, "committed"),
		Max:       count(v, "max"),
	}
}

// beans is how many MBeans a pattern matched, none if they are too many.
func beans(v value) int {
	if n := v.fields(); n <= maxBeans {
		return n
	}
	return 0
}

// eachBean visits the MBeans that a pattern matched.
func eachBean(v value, visit func(name []byte, bean value)) {
	if beans(v) > 0 {
		v.each(visit)
	}
}
