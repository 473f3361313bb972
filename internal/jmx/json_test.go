package jmx

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TestValues: whatever is asked for of a value that is not so is empty, by its shape as
// parsed.
func TestValues(t *testing.T) {
	t.Parallel()
	answer := []byte(`{"n":12,"f":-1.5e2,"s":"a \"b\"","t":true,"z":null,"a":[7,"x"],"o":{"p":1,"q":2}}`)
	parsed, err := fastjson.ParseBytes(answer)
	require.NoError(t, err)
	var f figures
	s := newShapes().find(&f, answer, nil, time.Unix(1, 0))
	require.NotNil(t, s)
	for name, v := range map[string]value{"parsed": {json: parsed}, "by its shape": {s.root, &f}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			integer := func(v value) int64 {
				n, ok := v.int64()
				assert.Equal(t, ok, n != 0)
				return n
			}
			float := func(v value) float64 {
				x, ok := v.float64()
				assert.Equal(t, ok, x != 0)
				return x
			}
			assert.Equal(t, int64(12), integer(v.get("n")))
			assert.InDelta(t, 12, float(v.get("n")), 0)
			assert.InDelta(t, -150, float(v.get("f")), 0)
			assert.Equal(t, `a "b"`, v.get("s").text())
			assert.True(t, v.get("t").bool())
			assert.True(t, v.get("z").exists())
			assert.Equal(t, 2, v.get("a").elements())
			assert.Equal(t, int64(7), integer(v.get("a").at(0)))
			assert.Equal(t, "x", v.get("a").at(1).text())
			assert.Equal(t, 2, v.get("o").fields())
			keys := ""
			v.get("o").each(func(key []byte, field value) { keys += string(key); assert.NotZero(t, integer(field)) })
			assert.Equal(t, "pq", keys)

			assert.False(t, v.get("none").exists())
			for _, other := range []value{{}, v.get("none"), v.get("s").get("none"), v.get("z"), v.get("f"), v.get("t")} {
				assert.Zero(t, integer(other))
				assert.Empty(t, other.text())
				assert.Zero(t, other.elements())
				assert.Zero(t, other.fields())
				other.each(func([]byte, value) { assert.Fail(t, "it has no fields") })
			}
			assert.False(t, v.get("n").bool())
			assert.Zero(t, float(v.get("s")))
		})
	}
}

// TestThreadInfoWithoutAStack: an agent may leave out what it likes.
func TestThreadInfoWithoutAStack(t *testing.T) {
	t.Parallel()
	parsed, err := fastjson.Parse(`[null,7,{"threadId":3,"threadName":"main"},{"threadId":4,"stackTrace":{}}]`)
	require.NoError(t, err)
	found := map[int64]*jvm.Thread{}
	decodeThreadInfos(value{json: parsed}, found)
	assert.Len(t, found, 2)
	assert.Equal(t, "main", found[3].Name)
	assert.Empty(t, found[4].Stack)
}

// TestNumbersThatAreNone are missing: undefined ones of JMX, and what no counter can be.
func TestNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	missing := jvm.Opt[int64]{}
	parsed := func(text string) value { return value{json: fastjson.MustParse(text)} }
	assert.Equal(t, jvm.Some[int64](0), count(parsed(`{"n":0}`), "n"))
	assert.Equal(t, missing, count(parsed(`{"n":-1}`), "n"))
	assert.Equal(t, missing, count(parsed(`{"n":9223372036854775807}`), "n"))

	assert.Equal(t, jvm.Some[int64](1<<31-1), int32Counter(parsed(`{"n":2147483647}`), "n"))
	assert.Equal(t, jvm.Some[int64](1<<31), int32Counter(parsed(`{"n":-2147483648}`), "n"))
	assert.Equal(t, jvm.Some[int64](1<<32-1), int32Counter(parsed(`{"n":-1}`), "n"))
	assert.Equal(t, missing, int32Counter(parsed(`{"n":2147483648}`), "n"))
	assert.Equal(t, missing, int32Counter(parsed(`{"n":-2147483649}`), "n"))

	assert.Equal(t, jvm.Some[int64](9223372036854000000), scaled(parsed(`{"n":9223372036854}`), "n", msToNs))
	assert.Equal(t, missing, scaled(parsed(`{"n":9223372036855}`), "n", msToNs))
}

// TestWhatAnAgentSaysIsBounded, however much it is.
func TestWhatAnAgentSaysIsBounded(t *testing.T) {
	t.Parallel()
	var infos strings.Builder
	for i := range maxThreads + 10 {
		fmt.Fprintf(&infos, `{"threadId":%d},`, i)
	}
	into := map[int64]*jvm.Thread{}
	decodeThreadInfos(value{json: fastjson.MustParse("[" + infos.String() + "null]")}, into)
	assert.Len(t, into, maxThreads)

	assert.Equal(t, "/a", requestPath("/a?secret"))
	assert.Equal(t, "/"+strings.Repeat("a", maxPathBytes-1), requestPath("/"+strings.Repeat("a", 5000)))
	assert.Equal(t, strings.Repeat("a", maxPathBytes-1)+"?", requestPath(strings.Repeat("a", maxPathBytes-1)+"é"), "cut within a character")
}
