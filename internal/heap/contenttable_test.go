package heap

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// TestContentTable counts more hashes than a table has room for at first, and many arrays of one.
func TestContentTable(t *testing.T) {
	const hashes, copies = 3 * fewSlots, 5
	var table contentTable
	table.reset(hashes + copies)
	for i := range hashes {
		table.count(8*uint32(i), ObjID(i+1)) // many meet
	}
	for i := range copies {
		table.count(8, ObjID(hashes+i+1))
	}
	assert.Equal(t, hashes, table.used)
	for i := range hashes {
		s := table.slot(8 * uint32(i))
		want := contentSlot{hash: 8 * uint32(i), count: 1, example: ObjID(i + 1)}
		if i == 1 {
			want.count += copies
		}
		if !assert.Equal(t, want, *s) {
			break
		}
	}

	table = contentTable{}
	table.reset(1 << 22)
	for i := range 1 << 20 {
		table.count(7, ObjID(i+1))
	}
	assert.Len(t, table.slots, fewSlots, "copies of one content take no room")
}

// TestHashOf tells contents apart that differ in one byte, in the zeros behind them, or in their type alone.
func TestHashOf(t *testing.T) {
	of := map[uint32]string{}
	add := func(elem hprof.Type, content []byte) {
		t.Helper()
		h, text := hashOf(content, uint64(elem)), fmt.Sprintf("type %d of %q", elem, content)
		assert.Empty(t, of[h], "the same as %s", text)
		of[h] = text
	}
	for _, elem := range []hprof.Type{hprof.TypeByte, hprof.TypeChar} {
		for n := range 20 {
			add(elem, make([]byte, n))
			for i := range n {
				for _, x := range []byte{1, 0x10, 0x80, 0xff} {
					content := make([]byte, n)
					content[i] = x
					add(elem, content)
				}
			}
		}
	}
}
