package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// closedConnections finds connections of MySQL's driver that are gone while the driver still
// keeps their sockets and buffers.
//
// Source: com.mysql.jdbc.NonRegisteringDriver of Connector/J 5.1 and
// com.mysql.cj.jdbc.AbandonedConnectionCleanupThread since 8.0: a static set has a phantom
// reference for each connection that was ever opened, and that one the connection's
// NetworkResources. close() takes nothing out: a collection of the generation that the
// connection lies in does.
type closedConnections struct{}

const (
	// closedRemark and closedWarning are how many of them are worth a remark, and a warning
	// if they take much of the heap.
	closedRemark  = 100
	closedWarning = 200
)

// Detect implements Detector.
func (closedConnections) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	p := h.phantoms()
	var gone []heap.ObjID
	var open int64
	for row, o := range p.table.Objects {
		switch referent := p.table.Ref(row, phantomReferent); {
		case !mysqlTracker(h.Class(o).Name) || !h.reachable(o):
		case referent != 0 && h.reachable(referent):
			open++
		default:
			gone = append(gone, o)
		}
	}
	if len(gone) < closedRemark {
		return nil, nil
	}
	bytes, err := h.retainedTogether(slices.Values(gone))
	if err != nil {
		return nil, err
	}
	class := h.Class(gone[0]).Name
	n, total := int64(len(gone)), int64(h.Tree.Total())
	f := Finding{
		Kind: "closed-connections", Severity: SeverityInfo, Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: class}, Objects: n, Bytes: bytes,
		Title: fmt.Sprintf("MySQL's driver still keeps the sockets and buffers of %s that are gone", unit.Plural(n, "connection", "connections")),
		Summary: fmt.Sprintf("They retain %s (%s of the reachable heap); %s in use. The driver tracks each connection by a phantom reference until a collection of the old generation "+
			"finds the connection dead: a pool that replaces its connections often fills that generation with them.",
			unit.Bytes(bytes), unit.Share(bytes, total), unit.Plural(open, "tracked connection is", "tracked connections are")),
		Advice: "Let the pool keep its connections for longer (HikariCP: maxLifetime of 30 minutes, minimumIdle = maximumPoolSize). " +
			"Connector/J 8.0.22 and later can do without the tracking: -Dcom.mysql.cj.disableAbandonedConnectionCleanup=true.",
		Fingerprint: fingerprint("closed-connections", class),
		Evidence: Evidence{
			Facts: []Fact{fact("connections that are gone", "%s", unit.Count(n)), fact("tracked connections in use", "%s", unit.Count(open)),
				fact("retained", "%s", unit.Bytes(bytes))},
			Refutes: "a dump after a collection of the old generation, in which their number is no smaller: then something else keeps them",
		},
	}
	if n >= closedWarning && bytes >= suspectBytes && bytes*100 >= total*criticalShare {
		f.Severity = SeverityWarning
	}
	if v := h.driverVersion(class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	f.Evidence.Path, err = h.pathTo(ctx, gone)
	return []Finding{f}, err
}

// mysqlTracker says whether references of the class track connections of MySQL's driver.
func mysqlTracker(class string) bool {
	return strings.HasPrefix(class, "com.mysql.") && (strings.HasSuffix(class, "$ConnectionFinalizerPhantomReference") || strings.HasSuffix(class, "$ConnectionPhantomReference"))
}
