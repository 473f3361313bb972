package finding

import (
	"fmt"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// continuation is what Kotlin's compiler has the bodies of suspending functions and lambdas extend.
const continuation = "kotlin.coroutines.jvm.internal.BaseContinuationImpl"

// leastCoroutines is how many in the same function are worth a word.
const leastCoroutines = 100

// coroutines are those of Kotlin in one function or lambda of the program's.
type coroutines struct {
	in    string // its class, "" for none
	count int64
}

// coroutinesAmong returns those of the function that most are in, the first by name of several with as many: a lambda that calls
// others has a continuation for each.
func (h *Heap) coroutinesAmong(counts []int64) (most coroutines) {
	for class, n := range counts {
		name := h.Classes[class].Name
		if n < leastCoroutines || n < most.count || n == most.count && name > most.in || !h.IsSubclass(heap.ClassID(class), continuation) || ofKotlin(name) {
			continue
		}
		most = coroutines{name, n}
	}
	return most
}

// ofKotlin says whether a class is of Kotlin's own libraries.
func ofKotlin(class string) bool {
	return strings.HasPrefix(class, "kotlin.") || strings.HasPrefix(class, "kotlinx.")
}

// words say where the coroutines are, "" where there are none.
func (c coroutines) words() string {
	if c.in == "" {
		return ""
	}
	return fmt.Sprintf(" %s coroutines are in %s.", unit.Count(c.count), clip(c.in, 100))
}

const endCoroutines = "Find out why these coroutines do not end: give what they wait for a time limit (withTimeout), cancel their scope or job when what they work for is done with, and bound how many are started."
