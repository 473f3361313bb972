package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// holder is who refers to a suspect, as an operator knows it.
type holder struct {
	class, field string // the nearest class that is no mere container, and its field
	static       bool
	thread       string
	// local says that it is the value of a ThreadLocal that holds it.
	local bool
	// frame is the call that refers to where the path begins; variable says that this is a variable
	// of it, not the thread itself.
	frame    string
	variable bool
	// many says that the way begins at several threads, of which this is one.
	many bool
	// from is where the path begins: the static field, "" if it does with none or with that of
	// class; or the JNI global reference.
	from string
}

// workQueue is the field of a ThreadPoolExecutor with what waits for its threads.
const workQueue = "workQueue"

func isWorkQueue(s Step) bool { return s.Field == workQueue }

// isWorkOfPool says whether a path ends at the queue of a thread pool, or at one that such a queue
// keeps its tasks in. What a task in it leads to is no task.
func isWorkOfPool(p *Path) bool {
	if p == nil {
		return false
	}
	at := slices.IndexFunc(p.Steps, isWorkQueue)
	return at >= 0 && at < len(p.Steps)-1 && !slices.ContainsFunc(p.Steps[at+1:len(p.Steps)-1], func(s Step) bool { return !isQueue(s.Class) })
}

// holderOn names the holder on a path: the nearest step that is no container, else the nearest
// that is no part of the JDK, or a thread pool.
func holderOn(p *Path) holder {
	if p == nil {
		return holder{}
	}
	w := holder{thread: p.Thread, frame: p.Frame, local: throughThreadLocal([]Path{*p}), variable: p.Root == hprof.SubRootJavaFrame.RootName()}
	w.many = p.Root == hprof.SubRootThread.RootName() && p.Steps[0].Object == "" && p.Objects > 1
	if i := slices.IndexFunc(p.Steps, isWorkQueue); i >= 0 {
		w.class, w.field = p.Steps[i].Class, workQueue
	}
	found := false
	above := p.above()
	for _, s := range slices.Backward(above) {
		name, static := strings.CutPrefix(s.Class, "class ")
		if s.Field == "" || s.Field == "[]" || platform(name) || found && container(name) {
			continue
		}
		w.class, w.field, w.static, found = stableClass(name), s.Field, static, true
		if !container(name) {
			break
		}
	}
	switch {
	case p.Root == hprof.SubRootJNIGlobal.RootName():
		w.from = "a JNI global reference"
	case len(above) == 0 || w.static:
	default:
		name, static := strings.CutPrefix(above[0].Class, "class ")
		switch {
		case !static || above[0].Field == "":
		case !platform(name):
			w.from = "static field " + fieldOf(name, above[0].Field)
		case w.class == "" && w.thread == "": // all of the way is the JDK's
			w.class, w.field, w.static = name, above[0].Field, true
		}
	}
	return w
}

// containers begin the names of classes of libraries of collections and caches for all purposes.
var containers = []string{
	"clojure.lang.Persistent", "com.carrotsearch.hppc.", "com.github.benmanes.caffeine.", "com.google.common.cache.", "com.google.common.collect.",
	"com.google.common.util.", "com.lmax.disruptor.", "gnu.trove.", "guava.cache.", "guava.collect.", "io.netty.util.", "io.vavr.",
	"it.unimi.dsi.fastutil.", "kotlin.Pair", "kotlin.collections.", "kotlinx.collections.", "org.agrona.collections.",
	"org.apache.commons.collections", "org.eclipse.collections.", "org.hibernate.internal.util.collections.", "org.jctools.",
	"org.springframework.util.", "scala.Some", "scala.Tuple", "scala.collection.",
}

// containerNames are parts of the names of collections that many libraries have of their own or copied
// from the JDK.
var containerNames = []string{"ArrayQueue", "HashMap", "HashSet", "SkipList"}

// container says whether a class is of such a library, also of one that was copied into another
// package (shaded), or a collection by its name: who fills one of those is not the library.
func container(class string) bool {
	if platform(class) {
		return false
	}
	name := outerClass(simpleName(class))
	return slices.ContainsFunc(containerNames, func(p string) bool { return strings.Contains(name, p) }) ||
		slices.ContainsFunc(containers, func(p string) bool {
			at := strings.Index(class, p)
			return at == 0 || at > 0 && class[at-1] == '.'
		})
}

// platform says whether a class is a part of the JDK, or an array.
func platform(class string) bool {
	if strings.HasSuffix(class, "[]") {
		return true
	}
	for _, prefix := range []string{"java.", "javax.", "jdk.", "sun.", "com.sun."} {
		if strings.HasPrefix(class, prefix) {
			return true
		}
	}
	return false
}

// String says it in a few words, "" where nobody is known.
func (w holder) String() string {
	switch {
	case w.static:
		return "static field " + fieldOf(w.class, w.field)
	case w.class != "":
		return "field " + fieldOf(w.class, w.field)
	case w.many && w.local:
		return fmt.Sprintf("a ThreadLocal of threads such as %q", clip(w.thread, 60))
	case w.many:
		return fmt.Sprintf("threads such as %q", clip(w.thread, 60))
	case w.thread != "" && w.local:
		return fmt.Sprintf("a ThreadLocal of thread %q", clip(w.thread, 60))
	case w.thread != "" && w.frame != "":
		return fmt.Sprintf("thread %q, in %s", clip(w.thread, 60), clip(stableClass(w.frame), 100))
	case w.thread != "":
		return fmt.Sprintf("thread %q", clip(w.thread, 60))
	}
	return ""
}

// filled names what is filled with the thing held, itself of that name: a field, a ThreadLocal or
// a call's variable.
func (w holder) filled(name string) string {
	switch {
	case w.class != "" || w.local:
		return w.String()
	case w.variable && w.frame != "":
		return "the variable of " + clip(stableClass(w.frame), 100)
	}
	return name
}

// frameClass is the class of the call whose variable it is, "" where that is the JDK's.
func (w holder) frameClass() string {
	class := w.frame[:max(0, strings.LastIndexByte(w.frame, '.'))]
	if platform(class) {
		return ""
	}
	return stableClass(class)
}

// fieldOf names a field for a sentence.
func fieldOf(class, field string) string {
	return clip(simpleName(class), 60) + "." + clip(field, 40)
}

// held says in a sentence by whom something is held, "" where nobody is known.
func (w holder) held() string {
	by := w.String()
	switch {
	case by == "" && w.from == "":
		return ""
	case by == "":
		by = w.from
	case w.from != "":
		by += ", from " + w.from + " on"
	}
	return "It is held by " + by + threadOf(w) + "."
}
