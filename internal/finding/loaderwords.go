package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// loaderFinding words the verdict on loaders that should be gone. paths lead to them,
// to as many as are looked at.
func (h *Heap) loaderFinding(f *family, bytes int64, p pressure, paths []Path) Finding {
	leaked := f.leaked()
	first := leaked[0]
	n := int64(len(leaked))
	found := Finding{
		Kind: "class-loader-leak", Severity: f.severity(bytes, p), Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: first.class, Loader: address(h.Address(first.object))},
		Objects: n,
		Bytes:   bytes,
	}
	code := f.code()
	switch {
	case len(f.stopped) > 0:
		found.Title = fmt.Sprintf("%s of %s still held", unit.Plural(n, "stopped class loader", "stopped class loaders"), clip(code, 100))
		found.Summary = fmt.Sprintf("%s of %s with this code stopped or closed, yet reachable; they retain %s (%s of the reachable heap).",
			unit.Count(n), unit.Plural(int64(len(f.all)), "loader", "loaders"), unit.Bytes(bytes), unit.Share(bytes, p.liveBytes))
	case f.left():
		found.Confidence = ConfidenceMedium
		found.Title = fmt.Sprintf("%s of %s of %s held by nothing but what their code left behind", unit.Count(n),
			unit.Plural(int64(len(f.all)), "class loader", "class loaders"), clip(code, 100))
		found.Summary = fmt.Sprintf("They are of class %s and retain %s (%s of the reachable heap). No host refers to them any more, only threads, ThreadLocals, drivers, hooks or MBeans of their own.",
			clip(first.class, 80), unit.Bytes(bytes), unit.Share(bytes, p.liveBytes))
	case f.generated:
		found.Confidence = ConfidenceMedium
		code = namePattern(first.classes[0])
		found.Title = fmt.Sprintf("%s made at run time for classes such as %s, each for itself", unit.Plural(n, "class loader", "class loaders"), clip(first.classes[0], 80))
		why := "; the names of the classes differ by numbers only"
		switch {
		case f.lone:
			why = ", with one class each"
		case f.inMemory:
			why = ", each with the class files of its code in memory"
		}
		found.Summary = fmt.Sprintf("They are of class %s%s: code seems to be compiled for each piece of work. They retain %s (%s of the reachable heap), and Metaspace outside of it.",
			clip(first.class, 80), why, unit.Bytes(bytes), unit.Share(bytes, p.liveBytes))
	default:
		found.Confidence = ConfidenceLow
		found.Title = fmt.Sprintf("%s loaded by %s of class %s", clip(code, 100), unit.Plural(n, "class loader", "class loaders"), clip(first.class, 80))
		found.Summary = fmt.Sprintf("The same code lies in the JVM %s times and retains %s (%s of the reachable heap). If it was deployed again and again, the old loaders are held.",
			unit.Count(n), unit.Bytes(bytes), unit.Share(bytes, p.liveBytes))
	}
	found.Evidence = Evidence{
		Facts: []Fact{
			fact("class of the loaders", "%s", first.class),
			fact("code", "%s, %s", code, unit.Plural(int64(len(first.classes)), "class", "classes")),
			fact("stopped or closed", "%s of %s", unit.Count(int64(len(f.stopped))), unit.Count(int64(len(f.all)))),
			fact("held by no host", "%s of %s", unit.Count(int64(len(f.forgotten))), unit.Count(int64(len(f.all)))),
			fact("retained", "%s", unit.Bytes(bytes)),
		},
		Refutes: "after the next full collection the loaders are gone",
	}
	found.Advice = "Undo in the application's stop (ServletContextListener.contextDestroyed) what it has started and registered: threads, ThreadLocals, drivers, timers, listeners, shutdown hooks."
	if f.generated && len(f.stopped) == 0 {
		found.Advice = "Compile each script, expression, template or proxy once and keep what comes of it by its text, in a map of bounded size; let go of the shell or engine that has the rest."
	}
	var holders []loaderHolder
	var looked int64
	for _, p := range paths {
		looked += p.Objects
	}
	for _, p := range joinPaths(f.alike(paths)) {
		holders = addLoaderHolder(holders, &p)
	}
	slices.SortStableFunc(holders, func(a, b loaderHolder) int { return cmp.Compare(b.loaders, a.loaders) })
	for _, by := range holders[:min(len(holders), maxHolders)] {
		found.Evidence.Facts = append(found.Evidence.Facts, fact("held by", "%s: %s%s", by.words, unit.Plural(by.loaders, "loader", "loaders"), pinnedWord(by.pinned)))
	}
	if len(holders) > 0 {
		first := holders[0]
		found.Evidence.Path = first.path
		found.Culprit.Class = cmp.Or(first.pinned, found.Culprit.Class)
		found.Culprit.Field, found.Culprit.Thread = first.at.field, first.at.thread
		if looked < n {
			found.Summary += fmt.Sprintf(" Of %s looked at,", unit.Count(looked))
		}
		found.Summary += fmt.Sprintf(" %s by %s", unit.Plural(first.loaders, "is held", "are held"), first.words)
		if first.pinned != "" {
			found.Summary += ", which refers to a " + clip(first.pinned, 80)
		}
		found.Summary += "."
		if !f.generated {
			found.Advice = strings.TrimSpace(undo(*first.path) + " " + found.Advice)
		}
	}
	if p.metaspace {
		found.Summary += " " + p.words()
	}
	found.Fingerprint = fingerprint(found.Kind, first.class, code, found.Culprit.Class, found.Culprit.Field)
	return found
}

// loaderHolder is what holds loaders, whichever of the ways from it leads to each.
type loaderHolder struct {
	at      holder
	words   string
	pinned  string // the class of the loaders' own that it refers to, "" for none
	path    *Path  // of most loaders
	loaders int64
}

// alike returns the paths, those of a family of one class each with the first one's name for all: what is made
// at run time may be called by random letters.
func (f *family) alike(paths []Path) []Path {
	if !f.lone {
		return paths
	}
	made, name := map[string]bool{}, f.all[0].classes[0]
	for _, l := range f.all {
		made[l.classes[0]] = true
	}
	for i := range paths {
		for k := range paths[i].Steps {
			s := &paths[i].Steps[k]
			if class, static := strings.CutPrefix(s.Class, "class "); made[class] && static {
				s.Class = "class " + name
			} else if made[class] {
				s.Class = name
			}
		}
	}
	return paths
}

// addLoaderHolder adds the holder on a way. Ways that are told in the same words, but for numbers
// in the names of generated classes, have one: those through entries of a map differ by how many
// entries lie before.
func addLoaderHolder(holders []loaderHolder, p *Path) []loaderHolder {
	w, pinned := holderOn(p), pinnedClass(*p)
	if w.class == "" && w.thread != "" && p.Steps[0].Object == "" {
		w.frame = "" // each thread's own
	}
	words := cmp.Or(throughWords(*p), w.String(), p.Root)
	if words == w.String() && w.from != "" {
		words += ", from " + w.from + " on"
	}
	for i := range holders {
		if by := &holders[i]; by.words == words && namePattern(by.pinned) == namePattern(pinned) {
			by.loaders += p.Objects
			return holders
		}
	}
	return append(holders, loaderHolder{w, words, pinned, p, p.Objects})
}

// undo names the call that lets go of what a way leads through, "" where that is nothing known.
func undo(p Path) string {
	switch {
	case passes(p, threadLocalEntry):
		return "Call ThreadLocal.remove() before a thread goes back to its pool."
	case passes(p, "java.sql.DriverManager"):
		return "Call DriverManager.deregisterDriver() for the drivers that the application has registered."
	case passes(p, hooksClass):
		return "Call Runtime.removeShutdownHook() for the application's hooks."
	case passes(p, "com.sun.jmx.mbeanserver.Repository"):
		return "Call MBeanServer.unregisterMBean() for the application's MBeans."
	case p.Thread != "":
		return "End the threads, and cancel the Timers, that the application has started."
	}
	return ""
}

// passes says whether a way leads through an object of the class, or the class itself.
func passes(p Path, class string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return strings.TrimPrefix(s.Class, "class ") == class })
}

// pinnedWord names what a holder refers to.
func pinnedWord(pinned string) string {
	if pinned == "" {
		return ""
	}
	return ", by way of " + pinned
}

// severity rests on proof that the loaders are done with: their own state, or that nobody but
// their own code holds them; without that only a swarm that takes a good part of the heap alarms.
func (f *family) severity(bytes int64, p pressure) Severity {
	share, many := bytes*100, swarm
	if f.generated {
		many = generatedSwarm
	}
	switch {
	case p.metaspace && len(f.all) >= many:
		return SeverityCritical
	case len(f.stopped) > 0 && share >= p.liveBytes*criticalShare && bytes >= suspectBytes:
		return SeverityCritical
	case len(f.stopped) > 1, len(f.stopped) == 1 && share >= p.liveBytes*worthShare && bytes >= suspectBytes:
		return SeverityWarning
	case f.left() && share >= p.liveBytes*criticalShare && bytes >= suspectBytes:
		return SeverityWarning
	case len(f.stopped) == 0 && len(f.all) >= many && share >= p.liveBytes*worthShare && bytes >= suspectBytes:
		return SeverityWarning
	}
	return SeverityInfo
}

// code names the application by the package that its classes have in common.
func (f *family) code() string {
	classes := f.all[0].classes
	if len(classes) == 1 {
		return classes[0]
	}
	// The package of most classes, cut to what names the owner.
	counts := map[string]int{}
	best := ""
	for _, c := range classes {
		parts := strings.Split(c, ".")
		name := strings.Join(parts[:min(len(parts)-1, 3)], ".")
		counts[name]++
		if n := counts[name]; n > counts[best] || n == counts[best] && name < best {
			best = name
		}
	}
	if best == "" {
		return classes[0]
	}
	return best + ".*"
}

// pinnedClass returns the class of the loader's own by which the way comes to it: that of
// the last class object before it.
func pinnedClass(p Path) string {
	for _, s := range slices.Backward(p.above()) {
		if name, ok := strings.CutPrefix(s.Class, "class "); ok && !platform(name) {
			return name
		}
	}
	return ""
}

// throughWords says that a way leads through a ThreadLocal or a thread's own fields.
func throughWords(p Path) string {
	for _, s := range p.Steps {
		switch {
		case s.Class == threadLocalEntry:
			return "a ThreadLocal of " + threadOn(p)
		case s.Field == "contextClassLoader" && p.Thread != "":
			return "the context class loader of " + threadOn(p)
		case s.Field == "contextClassLoader" && passes(p, hooksClass):
			return "shutdown hooks of class " + clip(s.Class, 80)
		case s.Field == "contextClassLoader":
			return "the context class loader of a " + clip(s.Class, 80) + " that does not run"
		}
	}
	return ""
}

// threadOn names the thread that a way begins at; it is one of several where the ways of more
// loaders were joined.
func threadOn(p Path) string {
	if p.Steps[0].Object == "" {
		return fmt.Sprintf("threads such as %q", clip(p.Thread, 60))
	}
	return fmt.Sprintf("thread %q", clip(p.Thread, 60))
}
