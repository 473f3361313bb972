package heap

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestClassesOfAName(t *testing.T) {
	names := newNameTable([]Class{{Name: "a"}, {Name: "b"}, {Name: "a"}, {Name: "a"}}, 2)
	all := func(name string) []ClassID { return slices.Collect(names.all(name)) }
	assert.Equal(t, []ClassID{0, 2, 3}, all("a"))
	assert.Equal(t, []ClassID{1}, all("b"))
	assert.Equal(t, NoClass, names.first("c"))
	assert.Empty(t, all("c"))
	names.add("c", 4)
	assert.Equal(t, []ClassID{4}, all("c"))
}

func TestAskingATallyAddsNothing(t *testing.T) {
	counts := newTally()
	counts.instance(8)
	for class := range uint64(10_000) {
		counts.of(class)
	}
	assert.Equal(t, 1, counts.used)
	assert.Equal(t, count{objects: 1}, counts.of(8))
	assert.True(t, counts.has(8))
	assert.False(t, counts.has(16))
}
