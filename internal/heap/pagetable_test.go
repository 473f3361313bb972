package heap

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPageTable has several goroutines find pages while one adds them, at numbers near each other and far: each is
// found once it was added, also by who had the smaller table, and none of another number.
func TestPageTable(t *testing.T) {
	const pages = 20 * leastPageSlots
	table := newPageTable()
	numberOf := func(i int) uint64 { return uint64(i%7)<<45 + uint64(i) }
	words := make([]pageBits, pages)
	var added sync.Mutex
	known := 0
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for n := 0; n < pages; {
				added.Lock()
				n = known
				added.Unlock()
				for i := n - 1; i >= 0; i -= 1 + n/100 {
					if !assert.Same(t, &words[i], table.find(numberOf(i))) {
						return
					}
				}
				assert.Nil(t, table.find(numberOf(pages+n)))
			}
		})
	}
	for i := range pages {
		table.add(numberOf(i), &words[i])
		added.Lock()
		known++
		added.Unlock()
	}
	wg.Wait()

	of := map[uint64]*pageBits{}
	for _, p := range table.all() {
		of[p.number] = p.words
	}
	assert.Len(t, of, pages)
	for i := range pages {
		assert.Same(t, &words[i], of[numberOf(i)])
	}
}
