package finding

import (
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// maxWrappers bounds how deep one wrapper of the JDK's may lie in another.
const maxWrappers = 4

// payload returns what the JDK's wrappers around an object hold for the application: the
// task in a FutureTask, the object behind a SoftReference. It is the object itself where
// there is no wrapper, or nothing in it any more.
//
// Source: java/util/concurrent/{FutureTask,Executors,CompletableFuture}.java; in JDK 6 to
// 25 a wrapper refers to one object that is not its own or the JDK's.
func (h *Heap) payload(o heap.ObjID) heap.ObjID {
	at := o
	for range maxWrappers {
		if !wraps(h.Class(at).Name) {
			return at
		}
		var inner, wrapper heap.ObjID
		for r := range h.References(at) {
			class := h.Class(r).Name
			switch {
			case class == "java.lang.Class" || r == at:
			case !platform(class) && !h.IsSubclass(h.ClassOf(r), poolClass):
				inner = r
			case wraps(class):
				wrapper = r
			}
		}
		switch {
		case inner != 0:
			at = inner
		case wrapper != 0:
			at = wrapper
		default:
			return o
		}
	}
	return at
}

// captured returns the program's object that a lambda has captured and that retains most of what
// the lambda does; the object itself where it is no lambda, or has captured none.
func (h *Heap) captured(o heap.ObjID) heap.ObjID {
	if !strings.Contains(h.Class(o).Name, lambdaMark) {
		return o
	}
	inner, most := o, h.retained(o)/2
	for r := range h.References(o) {
		if bytes := h.retained(r); bytes >= most && !platform(h.Class(r).Name) {
			inner, most = r, bytes
		}
	}
	return inner
}

// payloadClass names the class of an object's payload, the same in every run.
func (h *Heap) payloadClass(o heap.ObjID) string { return stableClass(h.Class(h.payload(o)).Name) }

// payloadNames tells payloadClass of many objects, those of a class often in a row.
type payloadNames struct {
	h     *Heap
	class heap.ClassID // of the last one, NoClass at first
	name  string       // of that class, "" where the objects themselves have to be asked
}

func (n *payloadNames) of(o heap.ObjID) string {
	if class := n.h.ClassOf(o); n.class != class {
		n.class, n.name = class, ""
		if name := n.h.Classes[class].Name; !wraps(name) {
			n.name = stableClass(name)
		}
	}
	if n.name != "" {
		return n.name
	}
	return n.h.payloadClass(o)
}

// wraps says whether objects of a class of the JDK hold something for others to run or
// to have for a while.
func wraps(class string) bool {
	switch class {
	case "java.util.concurrent.FutureTask", "java.util.concurrent.ExecutorCompletionService$QueueingFuture", "java.lang.ref.SoftReference",
		executorClass + "$ScheduledFutureTask", delayedClass:
		return true
	}
	return strings.HasPrefix(class, "java.util.concurrent.Executors$") && strings.HasSuffix(class, "Adapter") ||
		strings.HasPrefix(class, "java.util.concurrent.ForkJoinTask$") || strings.HasPrefix(class, "java.util.concurrent.CompletableFuture$Async")
}
