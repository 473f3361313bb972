package heap

import (
	"cmp"
	"slices"
)

// searchNear is slices.BinarySearch for who has an idea where x is in the sorted items: it takes
// the less time the nearer it is.
func searchNear[T cmp.Ordered](items []T, x T, guess int) (at int, ok bool) {
	low, high := 0, len(items)
	if guess < high && items[guess] <= x {
		low = guess
		for step := 1; low+step < high; step *= 2 {
			if items[low+step] > x {
				high = low + step
				break
			}
			low += step
		}
	} else {
		high = min(guess, high)
		for step := 1; high-step >= low; step *= 2 {
			if items[high-step] <= x {
				low = high - step
				break
			}
			high -= step
		}
	}
	at, ok = slices.BinarySearch(items[low:high], x)
	return low + at, ok
}
