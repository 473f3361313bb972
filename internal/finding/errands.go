package finding

import (
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// service is what a thread does for others, one thing after the other.
type service int

const (
	// finalizing is the Finalizer thread's, and that of a "Secondary finalizer".
	finalizing service = iota
	// cleaning is that of the thread of a java.lang.ref.Cleaner.
	cleaning
	// handling is the Reference Handler's, which runs the JDK's own cleaners itself.
	handling
	// timing is that of the thread of a java.util.Timer.
	timing
	// scheduling is that of a thread of a ScheduledThreadPoolExecutor.
	scheduling
	// turning is that of the worker of a HashedWheelTimer.
	turning
)

// errand is a service thread in the middle of code that others gave it: a
// finalize(), a cleaning action, a task.
type errand struct {
	service service
	thread
	// entry is the index in Frames of the first call of that code, and base that
	// of the service's own frame below it.
	entry, base int
}

// maxErrands bounds the errands of a heap: a JVM has a few.
const maxErrands = 256

// readErrands returns what the service threads are at, idle ones left out, in the
// order of the dump.
func (h *Heap) readErrands() []errand {
	var errands []errand
	for s := range h.Stacks() {
		if e, ok := h.errandOf(s); ok && len(errands) < maxErrands {
			e.ThreadInfo = h.threadInfos[s.Object]
			errands = append(errands, e)
		}
	}
	return errands
}

// errandOf says what the thread of a stack is at for others, if anything.
//
// Source: java.lang.ref.Finalizer, jdk.internal.ref.CleanerImpl and Cleaner,
// sun.misc.Cleaner, java.util.Timer and java.util.concurrent of JDK 6 to 25;
// io.netty.util.HashedWheelTimer, whose timeouts run their tasks themselves.
func (h *Heap) errandOf(s heap.Stack) (errand, bool) {
	for base, f := range slices.Backward(s.Frames) {
		e := errand{thread: thread{Stack: s}, base: base, entry: -1}
		switch f.Class + "." + f.Method {
		case finalizerClass + ".runFinalizer":
			e.service, e.entry = finalizing, outermost(s.Frames[:base], isFinalize)
			if e.entry < 0 { // compiled code may stop on its way out, where its own frame is gone
				e.entry = outermost(s.Frames[:base], isInvokeFinalize)
			}
		case "jdk.internal.ref.CleanerImpl.run":
			e.service, e.entry = cleaning, outermost(s.Frames[:base], isNot("jdk.internal.ref.", "java.lang.ref."))
			if base > 0 && strings.HasPrefix(s.Frames[base-1].Class, "java.lang.ref.") {
				continue // waits for the next reference
			}
		case "jdk.internal.ref.Cleaner.clean", "sun.misc.Cleaner.clean":
			e.service, e.entry = handling, base-1
			if outermost(s.Frames, isMethodOf("java.lang.ref.Reference$ReferenceHandler")) < 0 {
				continue // somebody cleans up without waiting for the collector
			}
		case "java.util.TimerThread.mainLoop":
			e.service, e.entry = timing, outermost(s.Frames[:base], isNot("java.lang.Object", "java.util.T"))
		case poolClass + ".runWorker":
			if !slices.ContainsFunc(s.Locals(base), func(l heap.Local) bool { return h.Tables[tableExecutor].Row(l.Object) >= 0 }) {
				continue
			}
			e.service, e.entry = scheduling, outermost(s.Frames[:base], isNot("java.util.concurrent."))
			if outermost(s.Frames[:base], isMethodOf("java.util.concurrent.FutureTask")) < 0 {
				continue // waits for the next task
			}
		}
		if timer, worker := strings.CutSuffix(f.Class, "$Worker"); worker && f.Method == "run" && strings.HasSuffix(timer, "."+kindWheel) {
			e.service, e.entry = turning, slices.IndexFunc(s.Frames[:base], isRunOf(timer+"$HashedWheelTimeout"))-1
		}
		if e.entry >= 0 {
			return e, true
		}
	}
	return errand{}, false
}

// outermost returns the index of the outermost frame that fits, -1 if none does.
func outermost(frames []heap.Frame, fits func(heap.Frame) bool) int {
	for i, f := range slices.Backward(frames) {
		if fits(f) {
			return i
		}
	}
	return -1
}

func isFinalize(f heap.Frame) bool { return f.Method == "finalize" }

func isInvokeFinalize(f heap.Frame) bool { return strings.HasPrefix(f.Method, "invokeFinalize") }

func isMethodOf(class string) func(heap.Frame) bool {
	return func(f heap.Frame) bool { return f.Class == class }
}

// isRunOf fits the calls in which objects of the class run what they were given: run in current
// versions of Netty, expire in older ones.
func isRunOf(class string) func(heap.Frame) bool {
	return func(f heap.Frame) bool { return f.Class == class && (f.Method == "run" || f.Method == "expire") }
}

// isNot fits the frames of classes whose names have none of these prefixes.
func isNot(prefixes ...string) func(heap.Frame) bool {
	return func(f heap.Frame) bool {
		return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f.Class, p) })
	}
}

// call returns the class and the method that are to blame: those of the entry, or,
// where that is a lambda's invisible class, those of the lambda's body.
func (e *errand) call() (class, method string) {
	f := e.Frames[e.entry]
	if e.entry > 0 && strings.Contains(f.Class, lambdaMark) {
		f = e.Frames[e.entry-1]
	}
	return f.Class, f.Method
}

// local returns the first local of the frame that fits, 0 if none does.
func (e *errand) local(frame int, fits func(heap.ObjID) bool) heap.ObjID {
	for _, l := range e.Locals(frame) {
		if (l.Kind == hprof.SubRootJavaFrame || l.Kind == hprof.SubRootJNILocal) && fits(l.Object) {
			return l.Object
		}
	}
	return 0
}

// lambdaMark begins the part of a lambda's class name that differs from run to run.
const lambdaMark = "$$Lambda"

// stableClass returns a class name without the part that differs from run to run.
func stableClass(class string) string {
	if at := strings.Index(class, lambdaMark); at >= 0 {
		return class[:at+len(lambdaMark)]
	}
	return class
}
