package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// cacheBytes is the least that caches of statements must hold for a warning.
const cacheBytes = 16 << 20

// statementCaches is about what a driver's connections keep in their caches of prepared
// statements.
func (h *Heap) statementCaches(ctx context.Context, d driverConnection, connections []heap.ObjID) (*Finding, error) {
	var caches []heap.ObjID
	for _, fields := range d.caches {
		found, err := h.follow(ctx, connections, fields...)
		if err != nil {
			return nil, err
		}
		for _, v := range found {
			if o := h.Object(v); o != 0 {
				caches = append(caches, o)
			}
		}
	}
	slices.Sort(caches)
	caches = slices.Compact(caches)
	if len(caches) == 0 {
		return nil, nil
	}
	bytes, err := h.retainedTogether(slices.Values(caches))
	if err != nil {
		return nil, err
	}
	p := h.pressure()
	if bytes < suspectBytes || bytes*100 < p.liveBytes*suspectShare {
		return nil, nil
	}
	biggest := slices.MaxFunc(caches, func(a, b heap.ObjID) int { return cmp.Compare(h.retained(a), h.retained(b)) })
	n, per := int64(len(connections)), bytes/int64(len(connections))
	f := &Finding{
		Kind: "statement-cache", Severity: p.severity(bytes), Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: h.Class(biggest).Name, Object: address(h.Address(biggest))},
		Objects: n, Bytes: bytes,
		Title: fmt.Sprintf("Caches of prepared statements at %s retain %s (%s of the reachable heap)",
			unit.Plural(n, "connection", "connections"), unit.Bytes(bytes), unit.Share(bytes, p.liveBytes)),
		Summary: fmt.Sprintf("Each connection (%s) has a cache of its own: %s a connection, %s the biggest one.",
			clip(d.class, 80), unit.Bytes(per), unit.Bytes(h.retained(biggest))),
		Advice:      fmt.Sprintf("Lower %s, or the number of connections. SQL with values in its text fills such caches with statements of no further use: bind parameters instead.", d.option),
		Fingerprint: fingerprint("statement-cache", d.class),
		Evidence: Evidence{
			Facts:   []Fact{fact("connections", "%s", unit.Count(n)), fact("biggest cache", "%s @ %#x, %s", h.Class(biggest).Name, h.Address(biggest), unit.Bytes(h.retained(biggest)))},
			Refutes: "the same statements are run over and over, and the heap has room for all of them",
		},
	}
	if bytes >= cacheBytes && bytes*100 >= p.liveBytes*mostShare && f.Severity == SeverityInfo {
		f.Severity = SeverityWarning
	}
	if v := h.driverVersion(d.class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	f.Evidence.Path, err = h.pathTo(ctx, []heap.ObjID{biggest})
	return f, err
}
