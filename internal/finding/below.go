package finding

import (
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// maxBelow bounds the objects below a suspect that are counted by class.
const maxBelow = 4 << 20

// mostBelow names the class with most bytes of what a suspect retains, "" where that is little
// of it, or where it retains too many objects to count.
func (h *Heap) mostBelow(s *suspect) string {
	counts, bytes := make([]int64, len(h.Classes)), make([]int64, len(h.Classes))
	n := 0
	h.Tree.Below(uint32(s.object), func(o uint32) bool {
		class := h.ClassOf(heap.ObjID(o))
		counts[class]++
		bytes[class] += h.ShallowBytes(heap.ObjID(o))
		n++
		return n < maxBelow
	})
	var most heap.ClassID
	for c, b := range bytes {
		if b > bytes[most] {
			most = heap.ClassID(c)
		}
	}
	if n == maxBelow || bytes[most]*2 < s.retained || counts[most] < 2 {
		return ""
	}
	return fmt.Sprintf("%s %s with %s", unit.Count(counts[most]), clip(stableClass(h.Classes[most].Name), 80), unit.Bytes(bytes[most]))
}
