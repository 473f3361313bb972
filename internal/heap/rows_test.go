package heap

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestTablesAreInOrder deals the objects of a table out to parts, in runs: none, few and many breaks.
func TestTablesAreInOrder(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(7, 8))
	for _, run := range []int{n, 900, 3} {
		objects := make([]ObjID, n)
		for i := range objects {
			objects[i] = ObjID(2*i + 1)
		}
		runs := slices.Collect(slices.Chunk(objects, run))
		r.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		b := &builder{Graph: &Graph{memory: &offheap.Memory{}}}
		parts := []*rows{{}, {}, {}}
		for i, run := range runs {
			for _, o := range run {
				if p := parts[i%2]; run[0]%3 == 0 && o%5 == 0 { // what a sample has is its own part
					require.NoError(t, parts[2].add(o, nil, &tablePlan{}, b))
				} else {
					require.NoError(t, p.add(o, nil, &tablePlan{}, b))
				}
			}
		}
		table, err := newTable(b.memory, Watch{}, parts, nil)
		require.NoError(t, err)
		require.Equal(t, objects, table.Objects, run)
	}
}

// TestValues reads a field of each type, and one that a body is too short for.
func TestValues(t *testing.T) {
	f := func(elem hprof.Type, body string, want uint64) {
		t.Helper()
		behind := "\x01\x02" + body
		p := &tablePlan{offsets: []int32{2, -1}, types: []hprof.Type{elem, elem}}
		assert.Equal(t, want, p.value(0, []byte(behind), 8), "type %d", elem)
		assert.Zero(t, p.value(1, []byte(behind), 8), "type %d that the class does not have", elem)
		for cut := range len(body) {
			assert.Zero(t, p.value(0, []byte(behind[:2+cut]), 8), "type %d of which there are %d bytes", elem, cut)
		}
	}
	const minus1, minus2 = ^uint64(0), ^uint64(1)
	f(hprof.TypeByte, "\xfe", minus2)
	f(hprof.TypeBoolean, "\x01", 1)
	f(hprof.TypeShort, "\xff\xfe", minus2)
	f(hprof.TypeChar, "\xff\xfe", 0xfffe)
	f(hprof.TypeInt, "\xff\xff\xff\xfe", minus2)
	f(hprof.TypeFloat, "\xbf\x80\x00\x00", 0xbf800000)
	f(hprof.TypeLong, "\xff\xff\xff\xff\xff\xff\xff\xff", minus1)
	f(hprof.TypeDouble, "\xbf\xf0\x00\x00\x00\x00\x00\x00", 0xbff0000000000000)
	f(hprof.TypeObject, "\x80\x00\x00\x00\x00\x00\x00\x08", 1<<63+8)
}
