package jmx

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// recordings are answers to a whole poll: what was recorded, and nothing of the rest.
func recordings(t testing.TB) [][]byte {
	var out [][]byte
	for _, name := range []string{"jolokia-2.6.0-jdk17-g1.json", "jolokia-2.6.0-jdk25-zgc.json", "jolokia-1.7.2-jdk17-parallel.json", "jolokia-2.6.0-partial-errors.json"} {
		recorded := bytes.TrimSpace(ReadTestdata(t, name))
		replies, err := parseBulk(&fastjson.Parser{}, recorded, bytes.Count(recorded, []byte(`"status"`)))
		require.NoError(t, err, name)
		rest := strings.Repeat(`,{"status":404,"error":"a \"quoted\" \\ word, 7"}`, PollItems()-len(replies))
		out = append(out, append(recorded[:len(recorded)-1:len(recorded)-1], rest+"]"...))
	}
	return out
}

// polled is what a poll makes of an answer, without shapes if there are no buffers, else by
// its shape, of which hint, which may be nil, is the one of the answer before.
func polled(body []byte, buffers *Buffers, hint *shape) (*jvm.Snapshot, error) {
	if buffers == nil {
		return DecodePoll(body)
	}
	t := newTier(newPlan(fastTier()))
	t.shape = hint
	a := &answer{buffers: buffers}
	defer a.free()
	if err := a.read(io.NopCloser(bytes.NewReader(body))); err != nil {
		return nil, err
	}
	replies, err := a.alike(len(t.items), &t.shape)
	if err != nil {
		return nil, err
	}
	s := &jvm.Snapshot{}
	s.Missing = t.decode(0, s, t.every(), replies)
	return s, nil
}

// same checks that an answer reads the same by the shapes known and without.
func same(t testing.TB, body []byte, buffers *Buffers, hint *shape) {
	t.Helper()
	want, wantErr := polled(body, nil, nil)
	got, gotErr := polled(body, buffers, hint)
	if wantErr != nil {
		require.EqualError(t, gotErr, wantErr.Error(), "%s", body)
		return
	}
	require.NoError(t, gotErr, "%s", body)
	require.Equal(t, want, got, "%s", body)
}

// fragments are what mutations put in.
func fragments() []string {
	return []string{
		"null", "{}", "[]", "0", "-1", "-", "+1", "1e3", "1e999", "9223372036854775807", "9223372036854775808", "-0", "00", "1.5", "1..2", "--1", "1-",
		".5", "e5", "NaN", "nan", "-inf", `""`, `"7"`, `\"`, `"`, `\`, `,`, `:`, `"ERROR: x"`, `{".error":true,"error":"e"}`, "true", " ", "\n", "\x00", "7",
		`"used":3`, `{"id":1}`,
	}
}

// TestAnswersAlikeReadAsParsed: an answer is read by its shape exactly as if it had
// been parsed, whatever was done to it.
func TestAnswersAlikeReadAsParsed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	buffers := NewBuffers()
	all := recordings(t)
	hits := 0
	for range 2 {
		for _, body := range all {
			same(t, body, buffers, nil)
		}
	}
	require.Len(t, buffers.shapes.all, len(all), "each is learned once")
	for round := range 2000 {
		body := bytes.Clone(all[round%len(all)])
		for range 1 + random.IntN(3) {
			body = mutate(random, body)
		}
		if buffers.shapes.find(&figures{}, body, nil, time.Now()) != nil {
			hits++
		}
		same(t, body, buffers, buffers.shapes.find(&figures{}, all[round%len(all)], nil, time.Now()))
	}
	assert.Greater(t, hits, 100, "numbers alone were changed")
	assert.LessOrEqual(t, len(buffers.shapes.all), maxShapes)
}

// mutate changes a number to another, or the text at any place.
func mutate(random *rand.Rand, body []byte) []byte {
	insert := fragments()[random.IntN(len(fragments()))]
	if spans := numbersIn(body); len(spans) > 0 && random.IntN(3) > 0 {
		at := spans[random.IntN(len(spans))]
		if random.IntN(2) == 0 {
			insert = fmt.Sprint(random.Int64() >> random.IntN(63))
		}
		return append(append(body[:at.from:at.from], insert...), body[at.to:]...)
	}
	from := random.IntN(len(body) + 1)
	to := min(len(body), from+random.IntN(12))
	return append(append(body[:from:from], insert...), body[to:]...)
}

// FuzzAlike is the same for whatever else there is.
func FuzzAlike(f *testing.F) {
	all := recordings(f)
	for _, body := range all {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		buffers := NewBuffers()
		for _, known := range all {
			_, err := polled(known, buffers, nil)
			require.NoError(t, err)
		}
		for range 2 { // the second time it may be known
			same(t, body, buffers, nil)
		}
		for _, hint := range buffers.shapes.all {
			same(t, body, buffers, hint)
		}
	})
}

// TestNumbersOfStringsAreText: what looks like a number between quotes is none.
func TestNumbersOfStringsAreText(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for _, s := range numbersIn([]byte(text)) {
			got = append(got, text[s.from:s.to])
		}
		assert.Equal(t, want, got, text)
	}
	f(`{"a1":2,"b":"3","c\"4":[-5,6.5e-7,null]}`, "2", "-5", "6.5e-7")
	f(`"\\",8`, "8")
	f(`-`)
	f(`"open 1`)
	f(`"\`)
	f(``)
}

// TestShapesMakeRoomForOthers: the one that was not used for longest goes, those in
// use stay.
func TestShapesMakeRoomForOthers(t *testing.T) {
	t.Parallel()
	s := newShapes()
	start := time.Unix(1_000_000, 0)
	known := func(i int, now time.Time) bool {
		var f figures
		shape := s.find(&f, fmt.Appendf(nil, `["kind %d",%d]`, i, 10+i), nil, now)
		if shape == nil {
			return false
		}
		n, ok := value{shape.root, &f}.get("1").int64()
		assert.True(t, ok)
		assert.Equal(t, int64(10+i), n)
		return true
	}
	for i := range maxShapes {
		require.True(t, known(i, start))
	}
	assert.False(t, known(100, start), "all are in use")
	later := start.Add(2 * shapeRest)
	for i := range maxShapes {
		if i != 5 {
			require.True(t, known(i, later))
		}
	}
	assert.True(t, known(100, later))
	assert.False(t, known(5, later), "it made room")
	assert.True(t, known(6, later))
	assert.Len(t, s.all, maxShapes)
}

// TestShapesAreBounded: what is long or has many values is no shape.
func TestShapesAreBounded(t *testing.T) {
	t.Parallel()
	s := newShapes()
	for name, body := range map[string][]byte{
		"long":               append(bytes.Repeat([]byte(" "), maxShapeBytes), "[1]"...),
		"many values":        []byte("[1" + strings.Repeat(",[]", maxShapeValues) + "]"),
		"no JSON":            []byte("[1"),
		"not a number":       []byte("[1,nan]"),
		"a number as a text": []byte(`[1,{"a":["7"]}]`),
	} {
		assert.Nil(t, s.find(&figures{}, body, nil, time.Unix(1_000_000, 0)), name)
	}
	assert.Empty(t, s.all)
}

// TestShapesAreSharedSafely: many clients read answers of one shape at once.
func TestShapesAreSharedSafely(t *testing.T) {
	t.Parallel()
	buffers := NewBuffers()
	all := recordings(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				body := bytes.Replace(all[0], []byte(`"Uptime":814412`), fmt.Appendf(nil, `"Uptime":%d`, 1000*i+k), 1)
				s, err := polled(body, buffers, nil)
				if assert.NoError(t, err) {
					assert.Equal(t, jvm.Count(int64(1000*i+k)), s.Runtime.UptimeMs)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAnswer(b *testing.B) {
	body := recordings(b)[0]
	for name, alike := range map[string]bool{"parsed": false, "alike": true} {
		b.Run(name, func(b *testing.B) {
			buffers := NewBuffers()
			t := newTier(newPlan(fastTier()))
			b.ReportAllocs()
			for b.Loop() {
				a := &answer{buffers: buffers}
				require.NoError(b, a.read(io.NopCloser(bytes.NewReader(body))))
				read := a.replies
				if alike {
					read = func(n int) ([]reply, error) { return a.alike(n, &t.shape) }
				}
				replies, err := read(len(t.items))
				if err != nil {
					b.Fatal(err)
				}
				t.decode(0, &jvm.Snapshot{}, t.every(), replies)
				a.free()
			}
		})
	}
}

// TestAnAnswerThatGoesOnIsAnotherOne: with all numbers of the shape before it, what follows
// the last of them counts as well.
func TestAnAnswerThatGoesOnIsAnotherOne(t *testing.T) {
	t.Parallel()
	s := newShapes()
	now := time.Unix(1_000_000, 0)
	hint := s.find(&figures{}, []byte(`[1,null]`), nil, now)
	require.NotNil(t, hint)
	f := func(answer string, want bool) {
		t.Helper()
		assert.Equal(t, want, hint == s.find(&figures{}, []byte(answer), hint, now), answer)
	}
	f(`[7,null]`, true)
	f(`[7,null,null]`, false)
	f(`[7,true]`, false)
	f(`[7`, false)
}
