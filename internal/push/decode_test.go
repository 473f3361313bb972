package push

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestDamagedRequestsAreRefused: one that is cut, but between two series, or has
// anything else in it, is an error; neither is ever read beyond its end.
func TestDamagedRequestsAreRefused(t *testing.T) {
	var e encoder
	e.add([]series.Sample{
		{Name: "a", Labels: []series.Label{{Name: "k", Value: "v"}}, TimeMs: 1, Value: 2},
		{Name: "b", TimeMs: 3, Value: 4},
	})
	whole := bytes.Clone(e.raw)
	e.reset()
	e.add([]series.Sample{{Name: "a", Labels: []series.Label{{Name: "k", Value: "v"}}, TimeMs: 1, Value: 2}})
	first := len(e.raw)
	var d decoder
	for n := range len(whole) {
		samples, err := d.decode(bytes.Clone(whole[:n]))
		if n == 0 || n == first {
			require.NoError(t, err)
			assert.Len(t, samples, min(n, 1))
			continue
		}
		require.ErrorIs(t, err, errNotEncoded, "cut at %d", n)
	}
	for name, raw := range map[string][]byte{
		"other field":          append(bytes.Clone(whole), 0x1a, 0),
		"a length too long":    {tagTimeSeries, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a length without end": {tagTimeSeries, 0xff},
		"no name":              {tagTimeSeries, 6, tagLabel, 4, tagLabelName, 0, tagLabelValue, 0},
		"an empty series":      {tagTimeSeries, 0},
	} {
		_, err := d.decode(raw)
		assert.ErrorIs(t, err, errNotEncoded, name)
	}
}

// FuzzDecode: whatever it is given, it does not end the program, and what it reads it
// reads again once encoded.
func FuzzDecode(f *testing.F) {
	var e encoder
	e.add(poll(1))
	f.Add(bytes.Clone(e.raw))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var first, second decoder
		samples, err := first.decode(raw)
		if err != nil {
			return
		}
		var e encoder
		for rest := samples; len(rest) > 0; {
			e.reset()
			n := e.add(rest)
			again, err := second.decode(e.raw)
			require.NoError(t, err)
			require.Len(t, again, n)
			rest = rest[n:]
		}
	})
}
