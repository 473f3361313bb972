package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// loaderFinding words the verdict on loaders that should be gone. paths lead to them,
// those of most loaders first.
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
		found.Summary = fmt.Sprintf("They are of class %s; the names of the classes differ by numbers only: code seems to be compiled for each piece of work. They retain %s (%s of the reachable heap), and Metaspace outside of it.",
			clip(first.class, 80), unit.Bytes(bytes), unit.Share(bytes, p.liveBytes))
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
		found.Advice = "Compile each script, expression or template once and keep what comes of it by its text, in a map of bounded size; let go of the shell or engine that has the rest."
	}
	for i := range paths {
		w, pinned := holderOn(&paths[i]), pinnedClass(paths[i])
		if w.class == "" && w.thread != "" && paths[i].Steps[0].Object == "" {
			w.frame = "" // each thread's own
		}
		by := cmp.Or(throughWords(paths[i]), w.String(), paths[i].Root)
		if by == w.String() && w.from != "" {
			by += ", from " + w.from + " on"
		}
		if i == 0 {
			found.Evidence.Path = &paths[0]
			found.Culprit.Class = cmp.Or(pinned, found.Culprit.Class)
			found.Culprit.Field, found.Culprit.Thread = w.field, w.thread
			found.Summary += fmt.Sprintf(" %s by %s", unit.Plural(paths[0].Objects, "is held", "are held"), by)
			if !f.generated {
				found.Advice = strings.TrimSpace(undo(paths[0]) + " " + found.Advice)
			}
			if pinned != "" {
				found.Summary += ", which refers to a " + clip(pinned, 80)
			}
			found.Summary += "."
		}
		found.Evidence.Facts = append(found.Evidence.Facts, fact("held by", "%s: %s%s", by, unit.Plural(paths[i].Objects, "loader", "loaders"), pinnedWord(pinned)))
	}
	if p.metaspace {
		found.Summary += " " + p.words()
	}
	found.Fingerprint = fingerprint(found.Kind, first.class, code, found.Culprit.Class, found.Culprit.Field)
	return found
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
	for _, s := range slices.Backward(p.Steps[:max(len(p.Steps)-1, 0)]) {
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
