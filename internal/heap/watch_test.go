package heap

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRowNear(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var table Table
	for o := ObjID(1); len(table.Objects) < 1000; o += 1 + ObjID(r.UintN(3)) {
		table.Objects = append(table.Objects, o)
	}
	last := table.Objects[999]
	for range 20_000 {
		o := ObjID(r.UintN(uint(last) + 3))
		require.Equal(t, table.Row(o), table.RowNear(o, r.IntN(1003)), o)
	}
	require.Equal(t, -1, new(Table).RowNear(1, 0))
	require.Equal(t, -1, new(Table).RowNear(1, 1))
}
