package series

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	finalizerClass = "java.lang.ref.Finalizer"
	// leastSigned is from how many Finalizers on the signature means anything: a JVM
	// has hundreds of its own.
	leastSigned = 5_000
	// closeTo is how near two counts must be to be called the same, as a share.
	closeTo = 0.02
)

// queueClasses are the arrays in which java.util.Timer and the scheduled executors
// keep their tasks; references take four bytes or eight.
func queueClasses() []string {
	return []string{"java.util.TimerTask[]", "java.util.concurrent.RunnableScheduledFuture[]"}
}

// Signature is what a class histogram shows when finalizable objects wait in the
// queue of a timer: as many Finalizers as objects of one class as tasks of another,
// and an array of tasks with room for all.
type Signature struct {
	// Finalizers is the number of java.lang.ref.Finalizer objects: all registered
	// ones, and those that are done and not collected yet.
	Finalizers int64
	// Found says that the rest is known.
	Found bool
	// Referent is the class there are as many objects of, Task the class of the
	// timer's tasks, Queue the array that holds them.
	Referent, Task, Queue string
}

// SchedulerSignature looks for it. It is a guess, for a heap dump to confirm.
func SchedulerSignature(h *jvm.ClassHistogram) Signature {
	var s Signature
	for _, c := range h.Classes {
		if c.Class == finalizerClass {
			s.Finalizers = c.Objects
		}
	}
	if s.Finalizers < leastSigned {
		return s
	}
	for _, c := range h.Classes {
		if slices.Contains(queueClasses(), c.Class) && c.Bytes >= 4*s.Finalizers {
			s.Queue = c.Class
		}
	}
	if s.Queue == "" {
		return s
	}
	for _, c := range h.Classes {
		same := c.Class != finalizerClass && near(c.Objects, s.Finalizers)
		switch {
		case !same || isPlumbing(c.Class):
		case looksLikeTask(c.Class):
			s.Task = cmp.Or(s.Task, c.Class)
		default:
			s.Referent = cmp.Or(s.Referent, c.Class)
		}
	}
	s.Found = s.Task != "" && s.Referent != ""
	return s
}

func near(a, b int64) bool {
	return float64(max(a-b, b-a)) <= closeTo*float64(b)
}

// isPlumbing tells classes of the JDK and arrays, of which there are as many by the
// way: the parts that objects are made of.
func isPlumbing(class string) bool {
	return strings.HasSuffix(class, "[]") || (strings.HasPrefix(class, "java.") && !strings.HasPrefix(class, "java.util.concurrent.ScheduledThreadPoolExecutor$"))
}

// looksLikeTask tells the class of a task: anonymous, or named so.
func looksLikeTask(class string) bool {
	if i := strings.LastIndexByte(class, '$'); i >= 0 && strings.Trim(class[i+1:], "0123456789") == "" {
		return true
	}
	return strings.Contains(class, "Task")
}
