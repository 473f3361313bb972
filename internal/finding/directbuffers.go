package finding

import (
	"cmp"
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// directBuffers finds memory outside the heap that direct ByteBuffers hold: it is given
// back when their cleaner runs, after a collection that finds them dead. And what arenas and Deflaters hold there.
type directBuffers struct{}

// The columns of tableDirectBuffer.
const (
	bufferCapacity = iota
	bufferCleaner
	bufferFile
)

const (
	// manyDirectBytes is how much memory outside the heap is worth a finding.
	manyDirectBytes = 64 << 20
	// nearLimit is the percentage of the limit at which the next allocation may fail.
	nearLimit = 90
	// bufferShare is the percentage of the limit that is worth a finding, and, of dead
	// buffers, an alarm.
	bufferShare = 50
)

// buffers are the direct buffers of a heap that have memory of their own.
type buffers struct {
	held               []heap.ObjID
	heldBytes          int64
	dead, deadBytes    int64
	limit, count, size int64
}

// Detect implements Detector.
func (directBuffers) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	b := h.directBuffers()
	if b.size >= manyDirectBytes || b.limit > 0 && b.size*100 >= b.limit*bufferShare && b.size >= suspectBytes {
		var path *Path
		if len(b.held) > 0 {
			var err error
			if path, err = h.pathTo(ctx, b.held); err != nil {
				return nil, err
			}
		}
		found = append(found, b.finding(path))
	}
	for _, add := range []func(context.Context, []Finding) ([]Finding, error){h.appendMapped, h.appendSegments, h.appendDeflaters} {
		var err error
		if found, err = add(ctx, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// directBuffers sums up the buffers. Slices and duplicates have no cleaner, mapped files
// have a file.
//
// Source: java/nio/Direct-X-Buffer.java.template; java.nio.Bits keeps the limit of
// -XX:MaxDirectMemorySize, which is that of the heap unless set.
func (h *Heap) directBuffers() buffers {
	var b buffers
	if v, ok := h.Static("java.nio.Bits", "MAX_MEMORY"); ok {
		b.limit = int64(v)
	} else if v, ok := h.Static("java.nio.Bits", "maxMemory"); ok { // JDK 8 and before
		b.limit = int64(v)
	}
	t := h.Tables[tableDirectBuffer]
	for row, o := range t.Objects {
		if t.IsNull(row, bufferCleaner) || !t.IsNull(row, bufferFile) {
			continue
		}
		bytes := t.Int(row, bufferCapacity)
		b.count++
		b.size += bytes
		if h.reachable(o) {
			b.held = append(b.held, o)
			b.heldBytes += bytes
		} else {
			b.dead++
			b.deadBytes += bytes
		}
	}
	return b
}

// finding words the verdict. path leads to most of the held buffers.
func (b *buffers) finding(path *Path) Finding {
	w := holderOn(path)
	f := Finding{
		Kind: "direct-buffers", Severity: SeverityInfo, Confidence: ConfidenceHigh,
		Culprit:     Culprit{Class: w.class, Field: w.field, Thread: w.thread},
		Objects:     b.count,
		Bytes:       b.size,
		Fingerprint: fingerprint("direct-buffers", w.class, w.field),
		Title:       fmt.Sprintf("%s hold %s outside the heap", unit.Plural(b.count, "direct ByteBuffer", "direct ByteBuffers"), unit.Bytes(b.size)),
		Advice:      "Reuse direct buffers (one for each thread, or a pool) instead of allocating them for each use; let go of those that are done with.",
		Evidence: Evidence{
			Path: path,
			Facts: []Fact{
				fact("held", "%s, %s", unit.Plural(int64(len(b.held)), "buffer", "buffers"), unit.Bytes(b.heldBytes)),
				fact("dead, their cleaner has not run", "%s, %s", unit.Plural(b.dead, "buffer", "buffers"), unit.Bytes(b.deadBytes)),
			},
			Refutes: "java.nio:type=BufferPool,name=direct falls by itself, without a forced collection",
		},
	}
	if b.limit > 0 {
		f.Title += fmt.Sprintf(", %s of the limit", unit.Share(b.size, b.limit))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("limit", "%s", unit.Bytes(b.limit)))
		if b.size*100 >= b.limit*nearLimit || b.deadBytes*100 >= b.limit*bufferShare {
			f.Severity = SeverityWarning
		}
	}
	f.Summary = fmt.Sprintf("The heap refers to %s of them with %s.", unit.Count(int64(len(b.held))), unit.Bytes(b.heldBytes))
	if by := w.String(); by != "" {
		f.Summary += fmt.Sprintf(" %s of these by way of %s%s.", unit.Count(path.Objects), by, threadOf(w))
	}
	f.Advice = cmp.Or(whatEmpties(path), f.Advice)
	if b.dead > 0 {
		f.Summary += fmt.Sprintf(" %s are dead with %s: their memory comes back only when a collection of the generation they lie in finds them and their cleaner runs.", unit.Count(b.dead), unit.Bytes(b.deadBytes))
	}
	return f
}
