package finding

import (
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// statements finds prepared statements that pile up at connections: those that nobody has
// closed, and caches of them that take much of the heap.
type statements struct{}

const (
	// unclosed is how many statements of one connection are an alarm: nobody runs so many
	// at once.
	unclosed = 1000
)

// Detect implements Detector.
func (statements) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	for _, d := range driverConnections() {
		connections := h.instances(d.class)
		if len(connections) == 0 {
			continue
		}
		f, err := h.openStatements(ctx, d, connections)
		if err != nil {
			return nil, err
		}
		if f != nil {
			found = append(found, *f)
		}
		if f, err = h.statementCaches(ctx, d, connections); err != nil {
			return nil, err
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return found, nil
}

// openStatements is about the connections with very many statements that are not closed.
func (h *Heap) openStatements(ctx context.Context, d driverConnection, connections []heap.ObjID) (*Finding, error) {
	lists, err := h.statementsOf(ctx, d, connections)
	if err != nil {
		return nil, err
	}
	var busiest heap.ObjID
	var all []heap.ObjID // statements
	var many int64
	classes := map[string][]heap.ObjID{}
	for _, c := range connections {
		list := lists[c]
		if len(list) < unclosed {
			continue
		}
		many++
		if len(list) > len(lists[busiest]) {
			busiest = c
		}
		all = append(all, list...)
		for _, s := range list {
			classes[h.Class(s).Name] = append(classes[h.Class(s).Name], s)
		}
	}
	if many == 0 {
		return nil, nil
	}
	bytes, err := h.retainedTogether(slices.Values(all))
	if err != nil {
		return nil, err
	}
	path, err := h.pathTo(ctx, all)
	if err != nil {
		return nil, err
	}
	class, _ := most(classes, func(heap.ObjID) int64 { return 1 })
	n, total, largest := int64(len(all)), int64(h.Tree.Total()), int64(len(lists[busiest]))
	f := &Finding{
		Kind: "open-statements", Severity: SeverityWarning, Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: class, Object: address(h.Address(busiest)), Field: last(d.statements)},
		Objects: n, Bytes: bytes,
		Title: fmt.Sprintf("%s not closed at %s", unit.Count(n)+" "+short(class), unit.Plural(many, "connection", "connections")),
		Summary: fmt.Sprintf("A connection keeps its statements until they are closed, or it is. One %s has %s; they retain %s (%s of the reachable heap).",
			short(h.Class(busiest).Name), unit.Count(largest), unit.Bytes(bytes), unit.Share(bytes, total)),
		Advice:      "Close each statement in a try-with-resources: a connection that lives long keeps what is left open. Server-side prepared statements stay open at the database, too.",
		Fingerprint: fingerprint("open-statements", d.class, class),
		Evidence: Evidence{
			Facts: []Fact{fact("statements not closed", "%s", unit.Count(n)), fact("class", "%s", class),
				fact("connection of most", "%s @ %#x, %s", h.Class(busiest).Name, h.Address(busiest), unit.Count(largest)), fact("retained", "%s", unit.Bytes(bytes))},
			Path:    path,
			Refutes: "a later dump in which the same connection has fewer",
		},
	}
	if len(d.statements) == 0 && path != nil {
		h.wordHeldStatements(f, holderOn(path))
	}
	if bytes*100 >= total*criticalShare && bytes >= suspectBytes {
		f.Severity = SeverityCritical
	}
	pool, pooled, err := h.statementPoolOn(ctx, path)
	if err != nil {
		return nil, err
	}
	if pooled {
		h.wordPooled(f, pool, largest, many)
	}
	if v := h.driverVersion(d.class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	return f, nil
}

// last returns the last field of a way, "" where there is none.
func last(way []string) string {
	if len(way) == 0 {
		return ""
	}
	return way[len(way)-1]
}

// wordHeldStatements is about a driver that keeps no list of statements: who holds them does.
func (h *Heap) wordHeldStatements(f *Finding, by holder) {
	f.Culprit.Field, f.Culprit.Thread = by.field, by.thread
	if by.String() == "" {
		return
	}
	f.Summary = fmt.Sprintf("The driver itself would let go of them, but %s%s holds them. They retain %s (%s of the reachable heap), and each that is prepared has its place at the database, too.",
		by, threadOf(by), unit.Bytes(f.Bytes), unit.Share(f.Bytes, int64(h.Tree.Total())))
	f.Advice = "Close each statement in a try-with-resources where it is used, and keep none in collections: the driver caches those that it has prepared."
	f.Evidence.Facts = append(f.Evidence.Facts, fact("held by", "%s", by))
}

// statementsOf returns the statements of each connection that are not closed, as the driver
// lists them or as they refer to it; lists of fewer than unclosed may be left out. Errors: that of ctx.
func (h *Heap) statementsOf(ctx context.Context, d driverConnection, connections []heap.ObjID) (map[heap.ObjID][]heap.ObjID, error) {
	of := map[heap.ObjID][]heap.ObjID{}
	switch {
	case len(d.statements) > 0:
		first, err := h.follow(ctx, connections, d.statements...)
		if err != nil {
			return nil, err
		}
		for c, list := range first {
			of[c] = h.listed(h.Object(list))
		}
	case d.statement != "":
		all := h.instances(d.statement)
		if len(all) < unclosed {
			return nil, nil
		}
		owners, err := h.follow(ctx, all, d.owner)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			c := h.Object(owners[s])
			of[c] = append(of[c], s)
		}
	}
	for c, list := range of {
		if len(list) >= unclosed {
			of[c] = h.notClosed(list)
		}
	}
	return of, nil
}

// notClosed leaves out the statements that say that they are closed: a driver may keep those
// to use them again.
func (h *Heap) notClosed(list []heap.ObjID) []heap.ObjID {
	return slices.DeleteFunc(list, func(o heap.ObjID) bool {
		closed, _ := h.Flag(o)
		return closed
	})
}

// listed returns the statements that a connection lists: the elements of a collection of
// the JDK's, or Oracle's chain from its first one on.
func (h *Heap) listed(list heap.ObjID) []heap.ObjID {
	if list == 0 {
		return nil
	}
	var found []heap.ObjID
	seen := map[heap.ObjID]bool{list: true}
	for todo := []heap.ObjID{list}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if h.isStatement(o) {
			found = append(found, o)
		}
		for r := range h.References(o) {
			chained := h.IsSubclass(h.ClassOf(r), oracleStatement)
			if !seen[r] && (chained || !h.isStatement(o) && (h.isStatement(r) || platform(h.Class(r).Name) && h.NameOf(r) == "")) {
				seen[r] = true
				todo = append(todo, r)
			}
		}
	}
	return found
}

// isStatement says whether what a list leads to is a driver's, not a part of the list.
func (h *Heap) isStatement(o heap.ObjID) bool { return !platform(h.Class(o).Name) }
