package finding

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// suspectFinding words the verdict on what retains much. paths lead to it.
func (h *Heap) suspectFinding(s *suspect, p pressure, paths []Path) Finding {
	var path *Path
	if len(paths) > 0 {
		path = &paths[0]
	}
	w := holderOn(path)
	f := Finding{
		Severity: p.severity(s.retained), Confidence: ConfidenceMedium,
		Culprit:  Culprit{Class: cmp.Or(w.class, w.frameClass()), Field: w.field, Thread: w.thread, Object: address(h.Address(s.object))},
		Bytes:    s.retained,
		Evidence: Evidence{Path: path},
	}
	switch {
	case s.collection != nil:
		h.wordCollection(&f, s, w, p)
	case s.group != nil:
		h.wordGroup(&f, s, p)
	case s.tasks != nil:
		h.wordTasks(&f, s, p)
	default:
		h.wordRetainer(&f, s, w, p)
	}
	f.Advice = cmp.Or(whatEmpties(path), f.Advice)
	if class := h.Class(s.object).Name; s.group != nil && class == zipSource {
		f.Advice = "Each is a zip or jar file that is open, with its directory. Those of the class path stay open as long as the program runs; close others (try-with-resources), and of class loaders that are done with, the loader."
	}
	wordSoft(&f, s)
	wordEmpty(&f, s)
	if f.Severity != SeverityInfo {
		f.Confidence = ConfidenceHigh
	}
	switch {
	case s.kept != nil:
		h.wordPoolKept(&f, s, p)
	case s.ended != nil:
		h.wordNobodyTakes(&f, s, p)
	case !s.weak.keptByThemselves():
		f.Summary = strings.TrimSpace(f.Summary + " " + p.words())
	}
	f.Evidence.Facts = append(f.Evidence.Facts, p.facts()...)
	return f
}

// wordCollection words a growing collection.
func (h *Heap) wordCollection(f *Finding, s *suspect, w holder, p pressure) {
	c := s.collection
	class := h.Class(c.object).Name
	values, keys := h.elements(c)
	if s.weak != nil && s.weak.values != "" {
		values, keys = s.weak.values, s.weak.keys
	}
	if keys != "" && (values == "java.lang.Object" || values == "java.lang.Boolean") {
		values, keys = keys, "" // a set: the values are all the same
	}
	f.Kind = "growing-collection"
	f.Objects = c.size
	f.Culprit.Object = address(h.Address(c.object))
	f.Culprit.Class = cmp.Or(f.Culprit.Class, class)
	f.Fingerprint = fingerprint(f.Kind, class, values, w.class, w.field)
	f.Title = fmt.Sprintf("%s with %s %s retains %s (%s of the reachable heap)", h.kindOf(c.object), unit.Count(c.size),
		elementWord(values), unit.Bytes(s.retained), unit.Share(s.retained, p.liveBytes))
	f.Summary = strings.TrimSpace(w.held() + s.names)
	f.Evidence.Facts = []Fact{
		fact("collection", "%s @ %s", class, f.Culprit.Object),
		fact("elements", "%s", unit.Count(c.size)),
		fact("retained", "%s, %s an element", unit.Bytes(s.retained), unit.Bytes(s.retained/max(c.size, 1))),
	}
	if values != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("class of the elements", "%s", values))
	}
	if keys != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("class of the keys", "%s", keys))
	}
	if c.array != 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("array", "%s, %s", h.Class(c.array).Name, unit.Bytes(h.ShallowBytes(c.array))))
	}
	below := h.below(s.below, s.retained, values)
	if own := below.words(); own != "" {
		f.Summary += " Its elements keep " + own + "."
		f.Evidence.Facts = append(f.Evidence.Facts, fact("kept by the elements", "%s", own))
	}
	f.Summary += cmp.Or(h.notTheCause(values), h.notTheCause(below.own))
	f.Advice = boundIt(w)
	if listens(values) || keepsListeners(w.field) {
		f.Advice = deregister(w)
	}
	if meters(values) {
		f.Advice = fewerMeters
	}
	switch path := f.Evidence.Path; {
	case isWorkOfPool(path):
		f.Advice = "Find out why the threads of this pool do not keep up, and give it a queue of bounded size (ArrayBlockingQueue) with a RejectedExecutionHandler that slows its callers down."
		if s.kept = h.poolKept(c.object); s.kept == nil {
			f.Summary += h.poolAtWork(c.object)
		}
	case isQueue(class):
		f.Advice = takeFrom(w, class)
		h.wordTaker(f, c.object)
	}
	wordBound(f, s)
	if below.most != "" && below.mostClass != values && !h.isPartOf(c, below.mostClass) {
		f.Summary += " Most of what it retains is " + below.most + "."
		f.Evidence.Facts = append(f.Evidence.Facts, fact("most below it", "%s", below.most))
	}
	f.Evidence.Refutes = "a later dump under the same load in which it has no more elements: then it is a cache of bounded size"
	if s.weak.keptByThemselves() {
		s.weak.word(f, p)
	}
}

// boundIt advises what to do about a collection that grows.
func boundIt(w holder) string {
	if w.class == "" && w.frame != "" {
		return fmt.Sprintf("Let %s work in portions, and let go of each one when it is done with.", w)
	}
	return fmt.Sprintf("Bound it: remove entries from %s when they are done with, or use a cache with a maximum size or an expiry.", cmp.Or(w.String(), "its owner"))
}

// listens says whether a class is, by its name, of those that are told of events: by its last words, as SparkListenerTaskEnd is
// what a listener is told.
func listens(class string) bool {
	name, _, _ := strings.Cut(simpleName(class), lambdaMark)
	name = strings.TrimRight(strings.ToLower(name), "$0123456789")
	for _, s := range []string{"impl", "adapter", "wrapper", "holder", "proxy", "registration", "reference"} {
		name = strings.TrimSuffix(name, s)
	}
	return slices.ContainsFunc(listeners(), func(s string) bool { return strings.HasSuffix(name, s) })
}

// keepsListeners says the same of a field by the elements that it is called after.
func keepsListeners(field string) bool {
	field = strings.ToLower(field)
	return slices.ContainsFunc(listeners(), func(s string) bool { return strings.Contains(field, s) })
}

// listeners are the words for what is told of events.
func listeners() []string { return []string{"listener", "observer", "subscriber"} }

// deregister advises what to do about listeners that pile up.
func deregister(w holder) string {
	return fmt.Sprintf("Whoever registers at %s must be taken out when it is done with (remove...Listener, unsubscribe, unregister): do so where it is closed, or register weakly.", cmp.Or(w.String(), "it"))
}

// meters says whether a class is of those that count and measure for a monitoring system.
func meters(class string) bool {
	return strings.HasSuffix(class, "MetricGroup") || slices.ContainsFunc([]string{"io.micrometer.core.instrument.", "com.codahale.metrics.", "io.prometheus.", "io.opentelemetry.sdk.metrics."},
		func(p string) bool { return strings.HasPrefix(class, p) })
}

const fewerMeters = "A name with each set of values of its tags (labels) is a meter of its own, which stays: take what has many values, such as ids, paths, users and texts of errors, out of names and tags, or limit it (Micrometer's MeterFilter.maximumAllowableTags)."

// kindOf names the class of a collection, and the JDK's class that it extends.
func (h *Heap) kindOf(o heap.ObjID) string {
	class := h.ClassOf(o)
	name := clip(simpleName(h.Classes[class].Name), 60)
	k := class
	for k != heap.NoClass && !platform(h.Classes[k].Name) {
		k = h.Classes[k].Super
	}
	if k == class || k == heap.NoClass {
		return name
	}
	return name + ", a " + clip(simpleName(h.Classes[k].Name), 60) + ","
}

// elementWord names the elements of a collection.
func elementWord(class string) string {
	if class == "" {
		return "elements"
	}
	return "elements of " + clip(class, 80)
}

// threadOf adds the thread to a holder that is a field.
func threadOf(w holder) string {
	if w.thread == "" || w.class == "" {
		return ""
	}
	on := fmt.Sprintf(" on thread %q", clip(w.thread, 60))
	if w.many {
		return fmt.Sprintf(" on threads such as %q", clip(w.thread, 60))
	}
	if w.variable && w.frame != "" {
		on += ", in " + clip(stableClass(w.frame), 100)
	}
	return on
}

// wordRetainer words an object that retains much.
func (h *Heap) wordRetainer(f *Finding, s *suspect, w holder, p pressure) {
	class := h.Class(s.object).Name
	name := h.called(s.object)
	if strings.HasSuffix(class, "[]") && w.class != "" {
		name += " of " + w.String() // any array is called so
	}
	f.Kind = "big-retainer"
	f.Objects = 1
	f.Culprit.Class = cmp.Or(h.NameOf(s.object), f.Culprit.Class, class)
	if f.Culprit.Thread == "" {
		f.Culprit.Thread = h.threadName(s.above[0])
	}
	f.Fingerprint = fingerprint(f.Kind, class, w.class, w.field)
	f.Title = fmt.Sprintf("%s retains %s (%s of the reachable heap)", name, unit.Bytes(s.retained), unit.Share(s.retained, p.liveBytes))
	f.Evidence.Facts = []Fact{
		fact("object", "%s @ %s", class, f.Culprit.Object),
		fact("retained", "%s, of them %s its own", unit.Bytes(s.retained), unit.Bytes(h.ShallowBytes(s.object))),
	}
	if s.chained {
		f.Summary = fmt.Sprintf("It begins a chain or tree of its own kind: the heap has %s. ", unit.Plural(h.Class(s.object).Instances, "object", "objects"))
	}
	if s.link != "" {
		f.Summary = strings.TrimSuffix(f.Summary, ". ") + fmt.Sprintf(", each refers to another by its field %s. ", clip(s.link, 40))
	}
	if top := s.above[0]; top != s.object {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("under the GC roots", "%s", h.called(top)))
	}
	parts := h.refersTo(s.object)
	if parts != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("refers to", "%s", parts))
	}
	f.Summary += cmp.Or(w.held(), "Nothing but a GC root holds it.") + s.names
	but := "" // that it begins a chain says all of those of its own class
	if s.chained {
		but = class
	}
	below, part := h.below(s.below, s.retained, but), h.biggestPart(s.object)
	switch own := below.words(); {
	case own != "" && strings.Contains(below.most, below.own): // told below
	case own != "":
		f.Summary += " Below it lie " + own + "."
		f.Evidence.Facts = append(f.Evidence.Facts, fact("the program's own below it", "%s", own))
	case parts != "" && part == nil && !strings.HasPrefix(class, "java.util."): // of those it is the table
		f.Summary += " It refers to " + clip(parts, 160) + "."
	}
	if below.most != "" {
		f.Summary += " Most of what it retains is " + below.most + "."
		f.Evidence.Facts = append(f.Evidence.Facts, fact("most below it", "%s", below.most))
	}
	few := false
	if part != nil {
		values, keys := h.elements(part)
		few = meters(values)
		f.Summary += fmt.Sprintf(" A part of it is %s with %s %s.", h.kindOf(part.object), unit.Count(part.size), elementWord(cmp.Or(values, keys)))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("biggest part", "%s @ %s", h.Class(part.object).Name, address(h.Address(part.object))))
	}
	f.Summary += below.waiting.words() + h.notTheCause(below.own)
	f.Advice = fmt.Sprintf("Look at what %s is filled with, and let go of what is done with.", w.filled(name))
	switch {
	case class == joinTask+"[]":
		f.Advice = "These are tasks that wait for the threads of a ForkJoinPool, as of the Async methods of CompletableFuture without an executor: see what those threads are at, and give work that waits an executor of its own, with a queue of bounded size."
		if s.kept = h.joinPoolKept(s.object); s.kept == nil {
			h.wordTaker(f, s.object)
		}
	case queueOn(f.Evidence.Path, class) != "":
		f.Advice = takeFrom(w, queueOn(f.Evidence.Path, class))
		h.wordTaker(f, s.object)
	case listens(class), keepsListeners(w.field):
		f.Advice = deregister(w)
	case below.waiting.in != "" && (ofKotlin(class) || ofKotlin(below.own)):
		f.Advice = endCoroutines
	case few:
		f.Advice = fewerMeters
	case container(class), platform(class) && strings.HasSuffix(class, "Map"):
		f.Advice = boundIt(w)
	}
	wordBound(f, s)
	f.Evidence.Refutes = "the program needs all of it: a later dump under the same load retains no more"
	if s.weak.keptByThemselves() {
		s.weak.word(f, p)
	}
}

// biggestPart returns the collection of most elements that an object refers to, nil for none.
func (h *Heap) biggestPart(o heap.ObjID) *collection {
	var biggest *collection
	for r := range h.References(o) {
		if c := h.accumulated.collections[r]; c != nil && (biggest == nil || c.size > biggest.size) {
			biggest = c
		}
	}
	return biggest
}

// wordGroup words a class whose instances retain much together.
func (h *Heap) wordGroup(f *Finding, s *suspect, p pressure) {
	class := h.Class(s.object).Name
	f.Kind = "big-retainer"
	f.Objects = s.count
	f.Culprit = Culprit{Class: class, Thread: f.Culprit.Thread}
	f.Fingerprint = fingerprint(f.Kind, "group", class)
	f.Title = fmt.Sprintf("%s %s retain %s (%s of the reachable heap), none of them much alone", unit.Count(s.count),
		clip(class, 100), unit.Bytes(s.retained), unit.Share(s.retained, p.liveBytes))
	f.Summary = "Several objects hold each of them, so nobody alone retains them."
	f.Advice = "Find out by the path who keeps them after use; all who refer to them must let go."
	if p := f.Evidence.Path; p != nil {
		if len(p.Steps) == 1 && p.Root == hprof.SubRootJNIGlobal.RootName() {
			f.Summary = "Native code holds each of them by a JNI global reference."
			f.Advice = "Find the library that makes such references (NewGlobalRef) and does not give them back (DeleteGlobalRef)."
		}
		f.Summary += fmt.Sprintf(" The path is that of most of %s of them%s.", unit.Count(int64(len(s.group))), beginning(p))
	}
	f.Evidence.Facts = []Fact{fact("class", "%s: %s objects", class, unit.Count(s.count)),
		fact("retained", "%s, %s an object", unit.Bytes(s.retained), unit.Bytes(s.retained/s.count))}
	h.wordOnTheWay(f, s)
	below := h.below(s.below, s.ofTargets(), class).of(s.count, len(s.group))
	if own := below.words(); own != "" {
		f.Summary += " Below them lie " + own + "."
		f.Evidence.Facts = append(f.Evidence.Facts, fact("the program's own below them", "%s", own))
	}
	if f.Summary += below.waiting.words(); below.waiting.in != "" && ofKotlin(class) {
		f.Advice = endCoroutines
	}
	f.Evidence.Refutes = "a later dump under the same load has no more of them"
}

// beginning says where a path begins, if that is a thread or a static field of the program's.
func beginning(p *Path) string {
	w := holder{thread: p.Thread, frame: p.Frame}
	if w.frameClass() == "" {
		w.frame = ""
	}
	name, static := strings.CutPrefix(p.Steps[0].Class, "class ")
	switch {
	case static && p.Steps[0].Field != "" && !platform(name):
		return "; it begins at static field " + fieldOf(name, p.Steps[0].Field)
	case w.thread != "":
		return "; it begins at " + w.String()
	}
	return ""
}

// called names an object for a sentence.
func (h *Heap) called(o heap.ObjID) string {
	class, name := h.Class(o).Name, h.NameOf(o)
	switch {
	case name == "":
		return clip(stableClass(class), 100)
	case class == "java.lang.Class":
		return "class " + clip(name, 100)
	}
	return fmt.Sprintf("thread %q", clip(name, 60))
}

// refersTo lists the classes of most references of an object.
func (h *Heap) refersTo(o heap.ObjID) string {
	classes := map[*heap.Class]int64{} // of millions of references, so without a name for each
	for r := range h.References(o) {
		if r == h.Class(o).Object {
			continue // the array's own class
		}
		classes[h.Class(h.payload(r))]++
	}
	counts := map[string]int64{}
	for class, n := range classes {
		counts[stableClass(class.Name)] += n
	}
	names := slices.Collect(maps.Keys(counts))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, n := range names[:min(len(names), 3)] {
		parts = append(parts, unit.Count(counts[n])+" "+clip(n, 80))
	}
	return strings.Join(parts, ", ")
}

// words say what the heap's state means for a verdict on what is merely big.
func (p pressure) words() string {
	switch {
	case p.metaspace:
		return fmt.Sprintf("The dump was written at an OutOfMemoryError in thread %q as it defined a class, with the heap at %s of its limit: Metaspace ran out, not the heap.",
			clip(p.thread, 60), unit.Share(p.liveBytes, p.maxBytes))
	case p.outOfMemory && p.thread != "":
		return fmt.Sprintf("The dump was written as the heap ran out: OutOfMemoryError in thread %q.", clip(p.thread, 60))
	case p.outOfMemory:
		return "The dump was written at an OutOfMemoryError."
	case p.full():
		return fmt.Sprintf("The live heap is at %s of its limit of %s.", unit.Share(p.liveBytes, p.maxBytes), unit.Bytes(p.maxBytes))
	}
	return "One dump cannot tell use from a leak: compare with a later one."
}

// facts are what the dump tells of the heap being short of memory.
func (p pressure) facts() []Fact {
	var facts []Fact
	if p.outOfMemory || p.metaspace {
		facts = append(facts, fact("OutOfMemoryError", "thread %q", clip(p.thread, 60)))
	}
	if p.maxBytes > 0 {
		facts = append(facts, fact("live heap", "%s of at most %s (%s)", unit.Bytes(p.liveBytes), unit.Bytes(p.maxBytes), unit.Share(p.liveBytes, p.maxBytes)))
	}
	return facts
}
