package finding

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// manyMapped is how many mapped files are worth a word: Linux lets a process have 65,530 mappings.
const manyMapped = 1000

// appendSegments adds the remark on native memory that arenas have allocated and not given back. Errors: that of ctx; no
// memory.
//
// Source: class files of jdk.internal.foreign.SegmentFactories of JDK 25, 26 and 28, NativeMemorySegmentImpl of 21: what frees
// the memory when the arena is closed knows its size.
func (h *Heap) appendSegments(ctx context.Context, found []Finding) ([]Finding, error) {
	segments := h.instancesOf(func(class string) bool {
		return class == "jdk.internal.foreign.SegmentFactories$1" || class == "jdk.internal.foreign.NativeMemorySegmentImpl$1"
	})
	var bytes int64
	err := h.Read(ctx, segments, func(c heap.Content) {
		for _, field := range []string{"val$allocationSize", "val$alignedSize"} {
			if v, _, ok := h.Field(c, heap.FieldName{Field: field}); ok {
				bytes += max(int64(v), 0)
			}
		}
	})
	if err != nil || bytes < manyDirectBytes {
		return found, err
	}
	n := int64(len(segments))
	f, err := h.outsideHeap(ctx, segments, bytes, fmt.Sprintf("%s of arenas hold %s outside the heap",
		unit.Plural(n, "piece of native memory", "pieces of native memory"), unit.Bytes(bytes)))
	f.Summary = "An Arena frees what was allocated in it when it is closed, one of Arena.ofAuto() when the collector finds it dead." + f.Summary
	f.Advice = "Close an arena when its memory is done with (Arena.ofConfined() in a try-with-resources statement), and let go of its segments."
	f.Evidence.Refutes = "a later dump under the same load in which they hold no more"
	return append(found, f), err
}

// appendMapped adds the remark on files that are mapped, where these are many. Errors: that of ctx; no memory.
func (h *Heap) appendMapped(ctx context.Context, found []Finding) ([]Finding, error) {
	t := h.Tables[tableDirectBuffer]
	var mapped []heap.ObjID
	var bytes int64
	for row, o := range t.Objects {
		if !t.IsNull(row, bufferCleaner) && !t.IsNull(row, bufferFile) && h.reachable(o) {
			mapped = append(mapped, o)
			bytes += t.Int(row, bufferCapacity)
		}
	}
	if len(mapped) < manyMapped {
		return found, nil
	}
	f, err := h.outsideHeap(ctx, mapped, bytes,
		fmt.Sprintf("%s MappedByteBuffers map %s of files into memory", unit.Count(int64(len(mapped))), unit.Bytes(bytes)))
	f.Summary = "A mapping stays until the collector finds its buffer dead, and what was read or written of it counts as the process's memory." + f.Summary
	f.Advice = "Let go of the buffers of files that are done with. From JDK 22 on FileChannel.map() with an Arena unmaps when that is closed."
	f.Evidence.Refutes = "an index that is kept in mapped files, as large as it is meant to be"
	return append(found, f), err
}

// outsideHeap words a remark on objects that have memory outside the heap. Errors: that of ctx; no memory.
func (h *Heap) outsideHeap(ctx context.Context, objects []heap.ObjID, bytes int64, title string) (Finding, error) {
	path, err := h.pathTo(ctx, objects)
	w := holderOn(path)
	f := Finding{
		Kind: "direct-buffers", Severity: SeverityInfo, Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: w.class, Field: w.field, Thread: w.thread},
		Objects: int64(len(objects)), Bytes: bytes,
		Fingerprint: fingerprint("direct-buffers", h.Class(objects[0]).Name, w.class, w.field),
		Title:       title,
		Evidence: Evidence{Path: path, Facts: []Fact{
			fact("held", "%s by %s, %s", unit.Plural(int64(len(objects)), "piece", "pieces"), h.Class(objects[0]).Name, unit.Bytes(bytes)),
		}},
	}
	if by := w.String(); by != "" && path != nil {
		f.Summary = fmt.Sprintf(" %s of them by way of %s%s.", unit.Count(path.Objects), by, threadOf(w))
	}
	return f, err
}
