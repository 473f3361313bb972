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

// threadLocals finds values that stay in the maps of threads: those whose ThreadLocal
// is gone, which nobody can get any more, and big ones.
type threadLocals struct{}

const (
	threadLocalMap   = "java.lang.ThreadLocal$ThreadLocalMap"
	threadLocalEntry = threadLocalMap + "$Entry"
)

// The columns of tableThreadMaps and tableEntry.
const (
	threadMapsOwn       = 0
	threadMapsInherited = 1
	entryKey            = 0
	entryValue          = 1
)

const (
	// staleEntries is how many values without a ThreadLocal are worth a finding
	// whatever they retain: a map gets rid of some of them as it is used.
	staleEntries = 1000
	// idleBytes is the least that idle threads must hold for an alarm.
	idleBytes = 16 << 20
)

// localGroup are the values of one class in the maps of threads.
type localGroup struct {
	class string
	// keys are the ThreadLocals that live, by how many values they have.
	keys map[heap.ObjID]int
	// stale says that their ThreadLocal is gone.
	stale    bool
	values   []heap.ObjID
	threads  []heap.ObjID
	retained int64
	// idle is what the values of idle threads retain.
	idle int64
	// most is the thread whose values retain most.
	most      heap.ObjID
	mostBytes int64
	byThread  map[heap.ObjID]int64
	// below counts what the values retain, nil where that is too much.
	below *tally
}

// Detect implements Detector.
func (threadLocals) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	groups := h.localGroups()
	p := h.pressure()
	var found []Finding
	for _, g := range groups {
		if !h.tellsOf(g) {
			continue
		}
		paths, by, err := h.localPaths(ctx, g)
		if err != nil {
			return nil, err
		}
		if g.below, err = h.tallyBelow(ctx, g.values, g.retained); err != nil {
			return nil, err
		}
		found = addAlike(found, h.localFinding(g, p, paths, by))
		if len(found) == maxSuspects {
			break
		}
	}
	return tellAlike(found), nil
}

// tellsOf says whether a group is worth a finding.
func (h *Heap) tellsOf(g *localGroup) bool {
	total := int64(h.Tree.Total())
	large := g.retained >= suspectBytes && g.retained*100 >= total*worthShare
	if g.stale {
		return large || len(g.values) >= staleEntries
	}
	return large && g.retained*100 >= total*suspectShare
}

// localPaths returns the way to most values of a group, and who has the ThreadLocal of
// most of them. Errors: that of ctx.
func (h *Heap) localPaths(ctx context.Context, g *localGroup) ([]Path, holder, error) {
	var key heap.ObjID
	for k, n := range g.keys {
		if n > g.keys[key] || n == g.keys[key] && k < key {
			key = k
		}
	}
	keys := slices.DeleteFunc([]heap.ObjID{key}, func(k heap.ObjID) bool { return k == 0 })
	paths, err := h.pathsTo(ctx, g.values)
	if err != nil {
		return nil, holder{}, err
	}
	owner, err := h.pathTo(ctx, keys)
	if err != nil || owner == nil {
		return paths, holder{}, err
	}
	return paths, holderOn(owner), nil
}

// localGroups groups the values in the maps of all threads, those that retain most
// first.
func (h *Heap) localGroups() []*localGroup {
	type key struct {
		class heap.ClassID
		stale bool
	}
	groups := map[key]*localGroup{}
	idle := h.idleThreads()
	maps, entries := h.Tables[tableThreadMaps], h.Tables[tableEntry]
	for row, thread := range maps.Objects {
		if !h.reachable(thread) {
			continue
		}
		for _, column := range []int{threadMapsOwn, threadMapsInherited} {
			for e := range h.entriesOf(maps.Ref(row, column)) {
				r := entries.Row(e)
				value, localKey := entries.Ref(r, entryValue), entries.Ref(r, entryKey)
				if value == 0 {
					continue
				}
				k := key{h.ClassOf(value), entries.IsNull(r, entryKey) || localKey != 0 && !h.reachable(localKey)}
				g := groups[k]
				if g == nil {
					g = &localGroup{class: h.Class(value).Name, stale: k.stale, byThread: map[heap.ObjID]int64{}, keys: map[heap.ObjID]int{}}
					groups[k] = g
				}
				g.add(thread, value, h.retained(value), idle[thread])
				if !k.stale {
					g.keys[localKey]++
				}
			}
		}
	}
	all := make([]*localGroup, 0, len(groups))
	for _, g := range groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *localGroup) int {
		return cmp.Or(cmp.Compare(b.retained, a.retained), cmp.Compare(len(b.values), len(a.values)), cmp.Compare(a.class, b.class))
	})
	return all
}

// ofThreadLocal says whether a value in the map of a thread retains the object, or is it. What others
// refer to as well, such as a call's variable, is on a way through the map and yet no part of what is in it.
func (h *Heap) ofThreadLocal(o heap.ObjID) bool {
	maps, entries := h.Tables[tableThreadMaps], h.Tables[tableEntry]
	for row := range maps.Objects {
		for _, column := range []int{threadMapsOwn, threadMapsInherited} {
			for e := range h.entriesOf(maps.Ref(row, column)) {
				value := entries.Ref(entries.Row(e), entryValue)
				if value != 0 && h.reachable(value) && (value == o || h.Tree.Dominates(uint32(value), uint32(o))) {
					return true
				}
			}
		}
	}
	return false
}

// add takes a thread's value into the group.
func (g *localGroup) add(thread, value heap.ObjID, retained int64, idle bool) {
	g.values = append(g.values, value)
	g.retained += retained
	if idle {
		g.idle += retained
	}
	if g.byThread[thread] == 0 {
		g.threads = append(g.threads, thread)
	}
	g.byThread[thread] += max(retained, 1)
	if b := g.byThread[thread]; b > g.mostBytes {
		g.most, g.mostBytes = thread, b
	}
}

// entriesOf yields the entries of a ThreadLocalMap, 0 for none.
func (h *Heap) entriesOf(m heap.ObjID) func(yield func(heap.ObjID) bool) {
	return func(yield func(heap.ObjID) bool) {
		if m == 0 {
			return
		}
		for table := range h.References(m) {
			for e := range h.References(table) {
				if h.Tables[tableEntry].Row(e) >= 0 && !yield(e) {
					return
				}
			}
		}
	}
}

// idleThreads are the threads of pools that wait for work.
//
// Source: ThreadPoolExecutor.getTask, ForkJoinPool.awaitWork, and the same in Tomcat's,
// Jetty's and JBoss' pools.
func (h *Heap) idleThreads() map[heap.ObjID]bool {
	idle := map[heap.ObjID]bool{}
	for s := range h.Stacks() {
		for _, f := range s.Frames {
			if poolWaits(f) {
				idle[s.Object] = true
			}
		}
	}
	return idle
}

// poolWaits says whether a call is that in which a pool's thread waits for work.
func poolWaits(f heap.Frame) bool {
	waits := f.Method == "getTask" || f.Method == "awaitWork" || f.Method == "idleJobPoll" || f.Method == "reservedWait"
	return waits && (strings.Contains(f.Class, "Pool") || strings.Contains(f.Class, "Executor"))
}

// localFinding words the verdict on a group. by is who has the ThreadLocal.
func (h *Heap) localFinding(g *localGroup, p pressure, paths []Path, by holder) Finding {
	n := int64(len(g.values))
	thread := h.threadName(g.most)
	f := Finding{
		Kind: "thread-local-leak", Severity: h.localSeverity(g, p), Confidence: ConfidenceMedium,
		Culprit:     Culprit{Class: g.class, Thread: thread},
		Objects:     n,
		Bytes:       g.retained,
		Fingerprint: fingerprint("thread-local-leak", g.class, fmt.Sprint(g.stale)),
	}
	if platform(g.class) && by.class != "" {
		f.Culprit.Class, f.Culprit.Field = by.class, by.field
	}
	threads := unit.Plural(int64(len(g.threads)), "thread", "threads")
	if g.stale {
		f.Confidence = ConfidenceHigh
		f.Title = fmt.Sprintf("%s of %s left in %s by ThreadLocals that are gone", unit.Plural(n, "value", "values"), clip(g.class, 100), threads)
		f.Summary = fmt.Sprintf("Nobody can get or remove them any more, yet the threads keep %s (%s of the reachable heap).",
			unit.Bytes(g.retained), unit.Share(g.retained, p.liveBytes))
		f.Advice = "Call ThreadLocal.remove() in a finally block before the work of the thread ends; make the ThreadLocal a static final field, not one for each object."
	} else {
		f.Title = fmt.Sprintf("ThreadLocal values of %s retain %s (%s of the reachable heap) in %s", clip(g.class, 100), unit.Bytes(g.retained), unit.Share(g.retained, p.liveBytes), threads)
		f.Summary = fmt.Sprintf("%s in all.", unit.Plural(n, "value", "values"))
		if by.class != "" {
			f.Summary = fmt.Sprintf("%s in all, of the ThreadLocal in %s.", unit.Plural(n, "value", "values"), by)
		}
		if g.idle > 0 {
			f.Summary += fmt.Sprintf(" %s of it is held by pool threads that wait for work: what they did last has not let go.", unit.Bytes(g.idle))
		}
		f.Advice = "Call ThreadLocal.remove() in a finally block when the work is done: a pool's threads outlive it. Keep what is kept for reuse small."
	}
	if thread != "" {
		f.Summary += fmt.Sprintf(" Thread %q holds most, %s.", clip(thread, 60), unit.Bytes(g.mostBytes))
	}
	below := h.below(g.below, g.retained, g.class)
	own := below.words()
	if own != "" {
		f.Summary += " The values keep " + own + "." + h.notTheCause(below.own)
	}
	f.Evidence = Evidence{
		Facts: []Fact{
			fact("class of the values", "%s", g.class),
			fact("values", "%s in %s", unit.Count(n), threads),
			fact("retained", "%s, %s of the reachable heap", unit.Bytes(g.retained), unit.Share(g.retained, p.liveBytes)),
			fact("in idle pool threads", "%s", unit.Bytes(g.idle)),
		},
		Refutes: "a later dump, with these threads idle, in which the values are gone",
	}
	if own != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("kept by the values", "%s", own))
	}
	if by.class != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("ThreadLocal", "%s", by))
	}
	f.Evidence.Facts = append(f.Evidence.Facts, p.facts()...)
	if len(paths) > 0 {
		f.Evidence.Path = &paths[0]
		if !g.stale && slices.ContainsFunc(paths[0].Steps, func(s Step) bool { return s.Field == "inheritableThreadLocals" }) {
			f.Advice = "A thread takes over what its maker has in an InheritableThreadLocal, and keeps it until it ends: call remove() before threads that live long are started, or hand the value to the task that needs it."
		}
	}
	return f
}

// localSeverity rests on the share of the heap; that values without a ThreadLocal, or
// those of idle threads, are no longer in use is the evidence.
func (h *Heap) localSeverity(g *localGroup, p pressure) Severity {
	switch {
	case g.stale && g.retained*100 >= p.liveBytes*criticalShare && g.retained >= suspectBytes:
		return SeverityCritical
	case g.stale && (g.retained*100 >= p.liveBytes*worthShare && g.retained >= suspectBytes || len(g.values) >= staleEntries):
		return SeverityWarning
	case !g.stale && g.idle >= idleBytes && g.idle*100 >= p.liveBytes*criticalShare:
		if p.severity(g.retained) == SeverityCritical {
			return SeverityCritical
		}
		return SeverityWarning
	}
	return p.severity(g.retained)
}
