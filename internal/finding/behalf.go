package finding

import (
	"fmt"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// outside says in a sentence whom finalizable objects of the JDK serve, and what they keep that no
// heap dump shows; "" for classes of the program and where nothing is known.
//
// Sources: java.util.zip.Deflater and Inflater (FinalizableZStreamRef) and java.io.FileInputStream
// (AltFinalizer) of JDK 9 to 11 serve a subclass of theirs that overrides end() or close().
func (h *Heap) outside(class string, referents []heap.ObjID) string {
	if !platform(class) {
		return ""
	}
	served := map[string][]heap.ObjID{}
	for _, o := range referents {
		if h.Class(o).Name != class {
			continue
		}
		for r := range h.References(o) {
			if name := h.Class(r).Name; !platform(name) {
				served[name] = append(served[name], r)
			}
		}
	}
	words := ""
	if name, objects := most(served, func(heap.ObjID) int64 { return 1 }); name != "" {
		words = fmt.Sprintf(" They serve %s %s.", unit.Count(int64(len(objects))), clip(name, 80))
	}
	switch {
	case strings.HasPrefix(class, "java.util.zip."):
		words += " Each may have native memory besides, which no dump shows."
	case strings.HasPrefix(class, "java.io.File"), strings.HasPrefix(class, "java.net."), strings.HasPrefix(class, "sun.nio.ch."):
		words += " Each may have a file or socket open besides."
	}
	return words
}
