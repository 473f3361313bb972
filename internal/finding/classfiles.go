package finding

import (
	"bytes"
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// belowLoader is how many objects below a class loader are looked through for class files.
const belowLoader = 4096

// hasClassFiles says whether a class loader keeps the files of its classes in memory, by the number that each begins with (JVM
// specification, 4.1): what is compiled at run time comes from there (Janino's ByteArrayClassLoader, users of javax.tools), what is
// deployed from the disk. Errors: that of ctx.
func (h *Heap) hasClassFiles(ctx context.Context, l *loader) (found bool, err error) {
	var arrays []heap.ObjID
	n := 0
	h.Tree.Below(uint32(l.object), func(o uint32) bool {
		if h.Class(heap.ObjID(o)).Name == "byte[]" {
			arrays = append(arrays, heap.ObjID(o))
		}
		n++
		return n < belowLoader
	})
	err = h.Read(ctx, arrays, func(c heap.Content) { found = found || bytes.HasPrefix(c.Data, []byte{0xca, 0xfe, 0xba, 0xbe}) })
	return found, err
}
