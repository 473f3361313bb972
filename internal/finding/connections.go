package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// openConnections finds connections to databases that are open and in no pool.
type openConnections struct{}

const (
	// looseRemark and looseWarning are how many of them are worth a remark, and a warning.
	looseRemark  = 20
	looseWarning = 100
)

// Detect implements Detector.
func (openConnections) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	var pooled map[heap.ObjID]bool
	for _, d := range driverConnections() {
		all := h.instances(d.class)
		if len(all) < looseRemark {
			continue
		}
		if pooled == nil {
			pools, err := h.connectionPools(ctx)
			if err != nil {
				return nil, err
			}
			pooled = map[heap.ObjID]bool{}
			for _, p := range pools {
				for _, c := range p.connections {
					pooled[c] = true
				}
			}
		}
		open, err := h.areOpen(ctx, d, slices.DeleteFunc(all, func(c heap.ObjID) bool { return pooled[c] }))
		if err != nil {
			return nil, err
		}
		f, err := h.looseFinding(ctx, d, open)
		if err != nil {
			return nil, err
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return found, nil
}

// areOpen returns those of a driver's connections that do not say that they are closed.
// Errors: that of ctx.
func (h *Heap) areOpen(ctx context.Context, d driverConnection, connections []heap.ObjID) ([]heap.ObjID, error) {
	values, err := h.follow(ctx, connections, d.state...)
	return slices.DeleteFunc(connections, func(c heap.ObjID) bool {
		v, known := values[c]
		return known && !d.open(v)
	}), err
}

// looseFinding words the verdict on connections that no pool is known of, nil if there are
// too few. Those on whose way something is called a pool are left out.
func (h *Heap) looseFinding(ctx context.Context, d driverConnection, open []heap.ObjID) (*Finding, error) {
	if len(open) < looseRemark {
		return nil, nil
	}
	tracks, err := h.tracksTo(ctx, open)
	if err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(c heap.ObjID) bool {
		for o := range tracks.Back(c) {
			if o != c && likePool(cmp.Or(h.NameOf(o), h.Class(o).Name)) {
				return true
			}
		}
		return false
	})
	if len(open) < looseRemark {
		return nil, nil
	}
	paths, err := h.mergePaths(ctx, tracks, open, 1)
	if err != nil {
		return nil, err
	}
	bytes, err := h.retainedTogether(slices.Values(open))
	if err != nil {
		return nil, err
	}
	n := int64(len(open))
	f := &Finding{
		Kind: "open-connections", Severity: SeverityInfo, Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: d.class}, Objects: n, Bytes: bytes,
		Title:   fmt.Sprintf("%s of class %s are open and in no pool", unit.Plural(n, "connection", "connections"), d.class),
		Summary: fmt.Sprintf("They retain %s; each has a session of the database's besides.", unit.Bytes(bytes)),
		Advice:  "Close every connection in a try-with-resources, and borrow them from a pool of bounded size (HikariCP, for one) instead of DriverManager.",
		Evidence: Evidence{
			Facts:   []Fact{fact("open connections", "%s", unit.Count(n))},
			Refutes: "the number falls to a few while nothing is running",
		},
	}
	if n >= looseWarning {
		f.Severity = SeverityWarning
	}
	if len(paths) > 0 {
		f.Evidence.Path = &paths[0]
		by := holderOn(&paths[0])
		f.Culprit.Field, f.Culprit.Thread = by.field, by.thread
		if by.String() != "" {
			f.Summary = fmt.Sprintf("%s of them are held by %s%s. %s", unit.Count(paths[0].Objects), by, threadOf(by), f.Summary)
			f.Evidence.Facts = append(f.Evidence.Facts, fact("held by", "%s", by))
		}
	}
	f.Fingerprint = fingerprint(f.Kind, d.class, f.Culprit.Field)
	if v := h.driverVersion(d.class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	return f, nil
}

// likePool says whether a class sounds like one of a pool of connections.
func likePool(class string) bool {
	lower := strings.ToLower(class)
	return slices.ContainsFunc([]string{"pool", "dbcp", "hikari", "bonecp", "vibur", "druid", "agroal", "datasource", "ucp.", "managedconnection"},
		func(part string) bool { return strings.Contains(lower, part) })
}
