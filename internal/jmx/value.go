package jmx

import (
	"math"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// failure is an attribute that the agent could not read.
type failure struct{ attribute, reason string }

// failedAttributes finds, among the attributes asked of one MBean, those that
// have an error in their place: an object with ".error" (2.x) or a string that
// begins with "ERROR: " (1.x). The answer to a pattern has none at this level.
func failedAttributes(v *fastjson.Value, attributes []string) []failure {
	var failures []failure
	for _, name := range attributes {
		a := v.Get(name)
		if a == nil {
			continue
		}
		if a.GetBool(".error") {
			failures = append(failures, failure{name, clip(string(a.GetStringBytes("error")))})
		} else if s := string(a.GetStringBytes()); strings.HasPrefix(s, "ERROR: ") {
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

func count(v *fastjson.Value, key string) jvm.Opt[int64] {
	n := v.Get(key)
	if n == nil || n.Type() != fastjson.TypeNumber {
		return jvm.Opt[int64]{}
	}
	i, err := n.Int64()
	if err != nil {
		return jvm.Opt[int64]{}
	}
	return jvm.Count(i)
}

// int32Counter reads a counter that Java keeps in an int: past 2^31 it comes back
// negative. The result is its 32 bits.
func int32Counter(v *fastjson.Value, key string) jvm.Opt[int64] {
	n := v.Get(key)
	if n == nil || n.Type() != fastjson.TypeNumber {
		return jvm.Opt[int64]{}
	}
	i, err := n.Int64()
	if err != nil || i < math.MinInt32 || i > math.MaxInt32 {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(int64(uint32(i)))
}

// msToNs is the factor of scaled for milliseconds that become nanoseconds.
const msToNs = 1_000_000

// scaled is a count times a factor; missing where that is too big.
func scaled(v *fastjson.Value, key string, factor int64) jvm.Opt[int64] {
	n, ok := count(v, key).Get()
	if !ok || n > math.MaxInt64/factor {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(n * factor)
}

func load(v *fastjson.Value, key string) jvm.Opt[float64] {
	n := v.Get(key)
	if n == nil || n.Type() != fastjson.TypeNumber {
		return jvm.Opt[float64]{}
	}
	f, err := n.Float64()
	if err != nil {
		return jvm.Opt[float64]{}
	}
	return jvm.Load(f)
}

// text is a string of bounded length, empty for anything else.
func text(v *fastjson.Value, key string) string {
	b := v.GetStringBytes(key)
	if len(b) > maxTextBytes {
		return ""
	}
	return string(b)
}

// usage reads a MemoryUsage; v may be nil.
func usage(v *fastjson.Value) jvm.Usage {
	if v == nil || v.Type() != fastjson.TypeObject {
		return jvm.Usage{}
	}
	return jvm.Usage{
		Init:      count(v, "init"),
		Used:      count(v, "used"),
		Committed: count(v, "committed"),
		Max:       count(v, "max"),
	}
}

// beans is how many MBeans eachBean visits.
func beans(v *fastjson.Value) int {
	if found, err := v.Object(); err == nil && found.Len() <= maxBeans {
		return found.Len()
	}
	return 0
}

// eachBean visits the MBeans that a pattern matched.
func eachBean(v *fastjson.Value, visit func(name []byte, bean *fastjson.Value)) {
	beans, err := v.Object()
	if err != nil || beans.Len() > maxBeans {
		return
	}
	beans.Visit(visit)
}
