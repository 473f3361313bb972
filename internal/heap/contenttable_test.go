package heap

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestContentTable counts more hashes than a table has room for at first, and many arrays of one.
func TestContentTable(t *testing.T) {
	const hashes, copies = 3 * fewSlots, 5
	var table contentTable
	table.reset(hashes + copies)
	for i := range hashes {
		table.count(uint32(i)*0x9E3779B1, ObjID(i+1))
	}
	for i := range copies {
		table.count(0x9E3779B1, ObjID(hashes+i+1))
	}
	assert.Equal(t, hashes, table.used)
	for i := range hashes {
		s := table.slot(uint32(i) * 0x9E3779B1)
		want := contentSlot{hash: uint32(i) * 0x9E3779B1, count: 1, example: ObjID(i + 1)}
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
