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

// appendKept adds the finding on a pool that is used up while its borrowers keep connections
// that no thread is at work with: all are lent, threads wait for one, and fields hold at least
// half of them. Errors: that of ctx; no memory.
func (h *Heap) appendKept(ctx context.Context, found []Finding, p *connectionPool) ([]Finding, error) {
	if p.used < max(p.size, p.max) || int64(len(p.lent))*2 < p.size || h.waiters() == 0 {
		return found, nil
	}
	tracks, err := h.tracksTo(ctx, p.lent)
	if err != nil {
		return nil, err
	}
	busy := h.busyThreads()
	inHand := h.inHand(p.lent, busy)
	var kept []heap.ObjID
	var nested int64
	for _, o := range p.lent {
		if inHand[o] {
			continue
		}
		root := o
		for root = range tracks.Back(o) {
			continue
		}
		switch t := h.threadOfRoot(root); busy[t] {
		case working:
			continue
		case borrowing:
			nested++
		}
		kept = append(kept, o)
	}
	// A thread at work may have its connection by a field, too.
	n := int64(len(kept)) - h.atWorkWith(p, busy)
	if n*2 < p.size {
		return found, nil
	}
	paths, err := h.mergePaths(ctx, tracks, kept, 1)
	if err != nil || len(paths) == 0 {
		return found, err
	}
	bytes, err := h.retainedTogether(slices.Values(slices.Concat(p.connections, p.lent)))
	f := h.keptFinding(p, n, bytes, &paths[0])
	if nested*2 > int64(len(kept)) {
		f.Summary = fmt.Sprintf("%s for one, and such threads have %s themselves: each needs another connection (%s) before it gives back its own.",
			unit.Plural(h.waiters(), "thread waits", "threads wait"), unit.Count(nested), clip(h.Class(p.connections[0]).Name, 80))
		f.Advice = "Let a thread take one connection at a time, and give it back before it calls what takes one: a pool that threads enter twice needs more connections than threads."
	}
	return append(found, f), err
}

// business is what a thread is at.
type business int

const (
	idle      business = iota // waits for work or for the collector, or has no stack
	borrowing                 // waits for a connection
	working
)

// busyThreads says what the threads are at.
func (h *Heap) busyThreads() map[heap.ObjID]business {
	busy := map[heap.ObjID]business{}
	for s := range h.Stacks() {
		switch {
		case waitsForConnection(s):
			busy[s.Object] = borrowing
		case len(s.Frames) > 0 && !slices.ContainsFunc(s.Frames, poolWaits) && !slices.ContainsFunc(s.Frames, waitsForReference):
			busy[s.Object] = working
		}
	}
	return busy
}

const (
	// reach is how many references lie at most between a variable of a thread at work, or a value
	// of its ThreadLocals, and what it works with, and maxReach how many objects are looked at
	// for one thread.
	reach    = 6
	maxReach = 5000
	// fewSlots is the length of arrays that are looked into for it: those of small maps.
	fewSlots = 64
)

// inHand returns those of the wanted objects that threads at work can get at by a few references:
// from variables by fields alone, as what lies in a collection is not at hand; from the values of
// ThreadLocals by small maps, too. Somebody else may hold the same objects.
func (h *Heap) inHand(wanted []heap.ObjID, busy map[heap.ObjID]business) map[heap.ObjID]bool {
	found := map[heap.ObjID]bool{}
	sought := map[heap.ObjID]bool{}
	for _, o := range wanted {
		sought[o] = true
	}
	maps := h.Tables[tableThreadMaps]
	for s := range h.Stacks() {
		if busy[s.Object] != working {
			continue
		}
		var local []heap.ObjID
		held := h.heldBy(s.Thread)
		if row := maps.Row(s.Object); row >= 0 {
			for e := range h.entriesOf(maps.Ref(row, threadMapsOwn)) {
				local = append(local, h.Tables[tableEntry].Ref(h.Tables[tableEntry].Row(e), entryValue))
			}
		}
		h.reachFrom(held, reach, 0, sought, found)
		h.reachFrom(local, reach, fewSlots, sought, found)
	}
	return found
}

// heldBy returns what the stack of a thread holds, as far as anybody looks at it.
func (h *Heap) heldBy(t heap.Thread) (held []heap.ObjID) {
	for o := range h.HeldBy(t) {
		if held = append(held, o); len(held) > maxReach {
			break
		}
	}
	return held
}

// onTheirWay returns those of the lost connections that are in use without a borrower: a pool tests one
// before it lends it, or puts it in order before it takes it back. Calls of the driver lead to it by
// a reference or two, and calls of the pool, where somebody has called that: a thread of the
// pool's own, which opens connections, may still have the one before in a variable.
func (h *Heap) onTheirWay(p *connectionPool) map[heap.ObjID]bool {
	const near = 2 // from the pool's entry by its wrapper to the driver's connection
	found := map[heap.ObjID]bool{}
	sought := map[heap.ObjID]bool{}
	for _, o := range p.lost {
		sought[o] = true
	}
	driver, pool := vendor(h.Class(p.connections[0]).Name), vendor(h.Class(p.object).Name)
	for s := range h.Stacks() {
		var held []heap.ObjID
		called := false
		for i, f := range slices.Backward(s.Frames) {
			switch {
			case strings.HasPrefix(f.Class, driver), called && strings.HasPrefix(f.Class, pool):
				for _, l := range s.Locals(i) {
					held = append(held, l.Object)
				}
			case !strings.HasPrefix(f.Class, pool) && !platform(f.Class):
				called = true
			}
		}
		h.reachFrom(held, near, 0, sought, found)
	}
	return found
}

// reachFrom adds the sought objects to those found that lie at most so many references behind the
// first ones. Arrays are looked into up to that many elements.
func (h *Heap) reachFrom(first []heap.ObjID, far, slots int, sought, found map[heap.ObjID]bool) {
	seen := map[heap.ObjID]bool{0: true}
	layer := first
	for range far + 1 {
		var next []heap.ObjID
		for _, o := range layer {
			if seen[o] || len(seen) > maxReach {
				continue
			}
			seen[o] = true
			if sought[o] {
				found[o] = true
			}
			name := h.Class(o).Name
			array := strings.HasSuffix(name, "[]")
			if array && h.ShallowBytes(o) > int64(slots)*8 || name == "java.lang.Class" || h.IsSubclass(h.ClassOf(o), "java.lang.Thread") || h.IsSubclass(h.ClassOf(o), "java.lang.ClassLoader") {
				continue
			}
			next = slices.AppendSeq(next, h.References(o))
		}
		layer = next
	}
}

// threadOfRoot returns the thread that a root is, or that its stack holds, 0 for others.
func (h *Heap) threadOfRoot(o heap.ObjID) heap.ObjID {
	root, ok := h.rootEntry(o, func(r heap.Root) bool { return r.Thread != 0 })
	at := slices.IndexFunc(h.Threads, func(t heap.Thread) bool { return t.Serial == root.Thread })
	if !ok || at < 0 {
		return 0
	}
	return h.Threads[at].Object
}

// waitsForReference says whether a call is that in which a thread waits for the collector: a driver
// has such a thread to clean up with (pgjdbc's LazyCleaner, MySQL's AbandonedConnectionCleanupThread).
func waitsForReference(f heap.Frame) bool {
	return f.Class == "java.lang.ref.ReferenceQueue" && strings.HasPrefix(f.Method, "remove")
}

// atWorkWith counts the threads in calls of the driver or of the pool's wrappers, without those
// that wait for a connection or for work.
func (h *Heap) atWorkWith(p *connectionPool, busy map[heap.ObjID]business) (n int64) {
	packages := p.packages(h)
	for s := range h.Stacks() {
		if busy[s.Object] == working && slices.ContainsFunc(s.Frames, func(f heap.Frame) bool { return hasPrefix(f.Class, packages) }) {
			n++
		}
	}
	return n
}

// packages are those of the pool's connections and of what borrowers have of them.
func (p *connectionPool) packages(h *Heap) []string {
	return []string{vendor(h.Class(p.connections[0]).Name), vendor(h.Class(p.lent[0]).Name)}
}

// vendor is what the packages of a class's maker begin with: the first two parts of a name that
// has three, else all of it.
func vendor(class string) string {
	if parts := strings.SplitN(class, ".", 3); len(parts) == 3 {
		return parts[0] + "." + parts[1] + "."
	}
	return class
}

// hasPrefix says whether a name begins with one of the prefixes.
func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// keptFinding words the verdict on a pool of which n connections are kept; path leads to them.
func (h *Heap) keptFinding(p *connectionPool, n, bytes int64, path *Path) Finding {
	class, waiting, one := h.Class(p.connections[0]).Name, h.waiters(), p.one()
	to := *path // without what the driver and the pool made of the connection
	packages := p.packages(h)
	last := len(to.Steps) - 1
	for last > 0 && hasPrefix(to.Steps[last].Class, packages) {
		last--
	}
	to.Steps = to.Steps[:min(last+2, len(to.Steps))]
	w := holderOn(&to)
	f := Finding{
		Kind: "abandoned-connections", Severity: p.severity(n), Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: cmp.Or(w.class, class), Field: w.field, Thread: w.thread, Object: address(h.Address(p.object))},
		Objects: n, Bytes: bytes,
		Fingerprint: fingerprint("abandoned-connections", "kept", p.kind, p.name, w.class, w.field),
		Title:       fmt.Sprintf("%s is used up: all its %s are in use", p.called(), unit.Plural(p.size, one, one+"s")),
		Summary: fmt.Sprintf("%s for one, while no thread is at work with %s of them (%s): they were not closed.",
			unit.Plural(waiting, "thread waits", "threads wait"), unit.Count(n), clip(class, 80)),
		Advice: "Close every connection in a try-with-resources where it is used, and keep none, nor what it made, in fields. Who borrowed them is told by " + p.tells() + ".",
		Evidence: Evidence{
			Facts: []Fact{fact("pool", "%s @ %s", p.called(), address(h.Address(p.object))), fact("in use", "%s of %s", unit.Count(p.used), unit.Count(p.size)),
				fact("waiting threads", "%s", unit.Count(waiting)), fact("kept without work", "%s", unit.Count(n))},
			Path:    path,
			Refutes: "a thread dump some seconds later in which the waiting threads have got a connection",
		},
	}
	if p.kind == objectPoolKind {
		f.Summary = strings.Replace(f.Summary, "they were not closed", "they were not given back", 1)
		f.Advice = "Give every object back where it is used, in a finally block (returnObject(), or close() where the object has one), and keep none in fields. Who borrowed them is told by " + p.tells() + "."
	}
	if by := throughWords(to); by != "" {
		f.Summary += " What their borrowers have is held by " + by + "."
	} else if held := w.held(); held != "" {
		f.Summary += strings.Replace(" "+held, "It is held", "What their borrowers have is held", 1)
	}
	if v := h.driverVersion(class); v != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("driver", "%s", v))
	}
	return f
}
