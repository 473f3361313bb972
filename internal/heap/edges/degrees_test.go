package edges

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDegrees counts up in two places, and down again.
func TestDegrees(t *testing.T) {
	const n = 200
	r := rand.New(rand.NewPCG(1, 2))
	var parts [2]Degrees
	for i := range parts {
		var err error
		parts[i], err = newDegrees(nil, n)
		require.NoError(t, err)
		defer parts[i].Free()
	}
	var want [n]int
	for range 10 * n {
		v := r.IntN(r.IntN(n) + 1) // the lower ones have more
		want[v]++
		count(parts[v%2^r.IntN(2)].words.Items, uint32(v))
	}
	d := &parts[0]
	d.join(&parts[1])
	check := func() {
		t.Helper()
		for v, k := range want {
			none, one := d.Of(v / 64)
			require.Equal(t, k == 0, none>>(v%64)&1 == 1, "node %d: %d", v, k)
			require.Equal(t, k == 1, one>>(v%64)&1 == 1, "node %d: %d", v, k)
		}
	}
	check()
	many := 0
	for v := range want {
		if want[v] >= mostDegree {
			for range mostDegree + 1 {
				require.False(t, d.Disown(uint32(v)), "how many is not known")
			}
			many++
			continue
		}
		for ; want[v] > 0; want[v]-- {
			check()
			require.Equal(t, want[v] == 1, d.Disown(uint32(v)))
		}
	}
	assert.Positive(t, many)
	check()
}

// TestDegreesOfWhatIsKept counts no reference twice in a row, and none to the node itself:
// neither is kept, and nobody would take it away again.
func TestDegreesOfWhatIsKept(t *testing.T) {
	g := write(t, [][]uint32{1: {1, 2, 2, 0, 3}, 2: {3}, 3: {3}}, []uint32{1, 2, 3}, 1)
	none, one := g.degrees[0].Of(0)
	assert.EqualValues(t, 0b0010, none&0b1110)
	assert.EqualValues(t, 0b0100, one&0b1110)
	assert.EqualValues(t, 3, g.successors)
}
