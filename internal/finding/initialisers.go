package finding

import (
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// behindInitialiser says what a thread probably waits for that computes for long by its looks: a
// class that another thread is initialising, and does not get on with. ok is false where there is
// no such class.
//
// Source: a thread that needs a class waits in the JVM until its static initialiser has ended
// (JVMS 5.5); HotSpot 11 to 25 leaves it RUNNABLE, with the call that needs the class on top.
func (h *Heap) behindInitialiser(t *thread) (w wait, ok bool) {
	if t.State != stateRunnable || len(t.Frames) == 0 || t.Frames[0].Line == heap.LineNative {
		return w, false
	}
	for s := range h.Stacks() {
		at := slices.IndexFunc(s.Frames, func(f heap.Frame) bool { return f.Method == initialiser })
		if at < 0 || s.Object == t.Object {
			continue
		}
		by := thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
		ids := h.ClassesNamed(s.Frames[at].Class)
		if len(ids) == 1 && (by.stuck() || by.paused() || by.inIO()) {
			w = wait{lock: h.Classes[ids[0]].Object, owner: &owner{thread: by, proof: proofInitialiser}}
			waits := h.waitOf(&by)
			w.owner.waits = &waits
			return w, true
		}
	}
	return w, false
}

// initialiser is the name of a class's static initialiser.
const initialiser = "<clinit>"

// behindWords says in a sentence that a thread waits for a class.
func (h *Heap) behindWords(w wait) string {
	in := ""
	if f := w.owner.own(); f != nil {
		in = fmt.Sprintf(", %s in %s.%s", w.owner.State, short(f.Class), f.Method)
	}
	return fmt.Sprintf("It probably waits for class %s: thread %q is in that class's static initialiser%s. The JVM does not record such waits.",
		short(h.NameOf(w.lock)), clip(w.owner.Name, 60), in)
}
