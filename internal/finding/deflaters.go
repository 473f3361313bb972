package finding

import (
	"cmp"
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	// deflaterBytes and inflaterBytes are what zlib takes for each outside the heap.
	//
	// Source: zconf.h of zlib, with windowBits 15 and memLevel 8.
	deflaterBytes, inflaterBytes = 1<<17 + 1<<17, 1<<15 + 7<<10
	// manyStreams is how many that are open are worth a word.
	manyStreams = 1000
)

// appendDeflaters adds the remark on Deflaters and Inflaters that are open, where these are many: what they take outside the heap goes
// by end(), or when they are found dead. Errors: that of ctx; no memory.
//
// Source: java/util/zip/Deflater.java and Inflater.java of JDK 8 to 25: zsRef.address is 0 after end().
func (h *Heap) appendDeflaters(ctx context.Context, found []Finding) ([]Finding, error) {
	deflaters, err := h.openStreams(ctx, "java.util.zip.Deflater")
	if err != nil {
		return nil, err
	}
	inflaters, err := h.openStreams(ctx, "java.util.zip.Inflater")
	if err != nil {
		return nil, err
	}
	outside := int64(len(deflaters))*deflaterBytes + int64(len(inflaters))*inflaterBytes
	if len(deflaters)+len(inflaters) < manyStreams || outside < manyDirectBytes {
		return found, nil
	}
	open, class := deflaters, "Deflater"
	if int64(len(deflaters))*deflaterBytes < int64(len(inflaters))*inflaterBytes {
		open, class = inflaters, "Inflater"
	}
	path, err := h.pathTo(ctx, open)
	if err != nil {
		return nil, err
	}
	w := holderOn(path)
	n := int64(len(open))
	f := Finding{
		Kind: "open-deflaters", Severity: SeverityInfo, Confidence: ConfidenceMedium, Objects: n, Bytes: outside,
		Culprit:     Culprit{Class: w.class, Field: w.field, Thread: w.thread},
		Fingerprint: fingerprint("open-deflaters", class, w.class, w.field),
		Title:       fmt.Sprintf("%s %ss are open, with some %s outside the heap", unit.Count(n), class, unit.Bytes(outside)),
		Summary: fmt.Sprintf("zlib takes about %s for each Deflater and %s for each Inflater, which no dump shows, until end() is called or the collector finds it dead.",
			unit.Bytes(deflaterBytes), unit.Bytes(inflaterBytes)),
		Advice: "Call end() when one is done with, also of those given to a DeflaterOutputStream or an InflaterInputStream: closing the stream ends only one that it made itself.",
		Evidence: Evidence{Path: path, Refutes: "as many are at work at once: connections with compression have one or two each",
			Facts: []Fact{fact("Deflaters open", "%s", unit.Count(int64(len(deflaters)))), fact("Inflaters open", "%s", unit.Count(int64(len(inflaters))))}},
	}
	f.Advice = cmp.Or(whatEmpties(path), f.Advice)
	if held := w.held(); held != "" {
		f.Summary += " Most are held by " + w.String() + "."
	}
	return append(found, f), nil
}

// openStreams returns the reachable objects of a class whose native stream has not ended. Errors: that of ctx.
func (h *Heap) openStreams(ctx context.Context, class string) (open []heap.ObjID, err error) {
	objects := h.instances(class)
	if len(objects) < manyStreams/2 {
		return nil, nil
	}
	addresses, err := h.follow(ctx, objects, "zsRef", "address")
	for _, o := range objects {
		if addresses[o] != 0 {
			open = append(open, o)
		}
	}
	return open, err
}
