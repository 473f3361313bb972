package heap

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// MaxFrames bounds the frames of one stack: only endless recursion comes that far.
const MaxFrames = 1024

// MaxLocals bounds the objects that are told apart of one frame, and of what a stack holds outside
// of its frames: a leak of JNI references comes that far.
const MaxLocals = 4096

// LineNative is the line of a native method.
const LineNative = -3

// Stack is a thread with what it was executing.
type Stack struct {
	Thread
	// Frames are its calls, innermost first, at most 1,024.
	Frames []Frame
	// Omitted is how many frames are left out beyond those.
	Omitted int
	// Loose are the objects that the stack holds outside of Frames, at most MaxLocals;
	// LooseOmitted is how many more it lists, some of them perhaps again.
	Loose        []Local
	LooseOmitted int
}

// Frame is one call on a stack. Texts that the dump does not have are empty.
type Frame struct {
	// Class is the class's name as Java source writes it.
	Class string
	// Method is the method's name, without its signature.
	Method string
	// Source is the name of the source file.
	Source string
	// Line is the line in it; -1 or 0 unknown, -2 compiled, LineNative.
	Line int32
	// Locals are the objects that the frame's variables and its pending
	// expressions refer to, each once, at most MaxLocals; LocalsOmitted is how many more are
	// listed, some of them perhaps again.
	Locals        []Local
	LocalsOmitted int
}

// Local is an object that a stack holds.
type Local struct {
	Object ObjID
	// Kind is hprof.SubRootJavaFrame, hprof.SubRootJNILocal or another kind of root
	// that belongs to a thread.
	Kind hprof.SubTag
	// Last is the place of the last variable that refers to it, among all that the stack
	// holds, and Again says that it is not the first one. "synchronized" keeps its object in
	// a variable of its own, behind the program's.
	Last  int
	Again bool
}

// String renders a frame as Java's own stack traces do, without its locals.
func (f Frame) String() string {
	if f.Class == "" && f.Method == "" {
		return "(a frame that the dump does not describe)"
	}
	call := f.Class + "." + f.Method
	switch {
	case f.Line == LineNative:
		return call + "(Native Method)"
	case f.Source == "":
		return call + "(Unknown Source)"
	case f.Line > 0:
		return fmt.Sprintf("%s(%s:%d)", call, f.Source, f.Line)
	}
	return call + "(" + f.Source + ")"
}

// Held yields the objects that the stack holds, frame by frame.
func (s *Stack) Held() iter.Seq[Local] {
	return func(yield func(Local) bool) {
		for i := range s.Frames {
			for _, l := range s.Frames[i].Locals {
				if !yield(l) {
					return
				}
			}
		}
		for _, l := range s.Loose {
			if !yield(l) {
				return
			}
		}
	}
}

// Stacks yields the threads of the dump with their stacks, in file order. They are
// put together one by one: a hostile dump may have many threads with one long stack.
func (g *Graph) Stacks() iter.Seq[Stack] {
	return func(yield func(Stack) bool) {
		for _, t := range g.Threads {
			if !yield(g.Stack(t)) {
				return
			}
		}
	}
}

// Stack puts the stack of a thread together.
func (g *Graph) Stack(t Thread) Stack {
	s := Stack{Thread: t, Frames: g.frames.stack(t.Trace)}
	s.Omitted = max(0, len(g.Outline.Traces[t.Trace].Frames)-MaxFrames)
	h := holder{stack: &s}
	for i, r := range g.rootsOf(t) {
		h.hold(r, i)
	}
	return s
}

// HeldBy yields what the stack of a thread holds, in file order, the same object perhaps again.
func (g *Graph) HeldBy(t Thread) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		for _, r := range g.rootsOf(t) {
			if !yield(r.Object) {
				return
			}
		}
	}
}

// rootsOf returns what the stack of a thread holds, in file order.
func (g *Graph) rootsOf(t Thread) []Root {
	of := func(r Root, serial uint32) int { return cmp.Compare(r.Thread, serial) }
	from, _ := slices.BinarySearchFunc(g.stackRoots, t.Serial, of)
	behind, _ := slices.BinarySearchFunc(g.stackRoots[from:], uint64(t.Serial)+1, func(r Root, next uint64) int {
		return cmp.Compare(uint64(r.Thread), next)
	})
	return g.stackRoots[from : from+behind]
}

// FrameOf returns the call that holds a root, without its locals; ok is false for roots
// that no call holds.
func (g *Graph) FrameOf(r Root) (f Frame, ok bool) {
	if !r.Local() || r.Frame < 0 {
		return f, false
	}
	for _, t := range g.Threads {
		if t.Serial != r.Thread {
			continue
		}
		if trace := g.Outline.Traces[t.Trace].Frames; int(r.Frame) < len(trace) {
			return g.frames.frame(trace[r.Frame]), true
		}
	}
	return f, false
}

// holder puts the objects that a stack holds where they belong.
type holder struct {
	stack *Stack
	// known are the places among the locals of their frame, of frames with more than fewLocals.
	known map[held]int
}

// fewLocals is how many locals are looked through sooner than found in a map.
const fewLocals = 8

// held is an object on a stack, in a frame, -1 outside of all.
type held struct {
	frame  int32
	object ObjID
	kind   hprof.SubTag
}

// hold adds an object, the place-th that the stack holds, to the frame it belongs to. A leak of
// JNI references makes very many of one stack.
func (h *holder) hold(r Root, place int) {
	frame, locals, omitted := int32(-1), &h.stack.Loose, &h.stack.LooseOmitted
	if r.Frame >= 0 && int(r.Frame) < len(h.stack.Frames) {
		f := &h.stack.Frames[r.Frame]
		frame, locals, omitted = r.Frame, &f.Locals, &f.LocalsOmitted
	}
	if i := h.find(frame, *locals, r); i >= 0 {
		(*locals)[i].Last, (*locals)[i].Again = place, true
		return
	}
	if len(*locals) == MaxLocals {
		*omitted++
		return
	}
	*locals = append(*locals, Local{Object: r.Object, Kind: r.Kind, Last: place})
	if len(*locals) > fewLocals {
		h.know(frame, *locals)
	}
}

// find returns the place of a root among the locals of its frame, -1 if it is not there.
func (h *holder) find(frame int32, locals []Local, r Root) int {
	if len(locals) <= fewLocals {
		return slices.IndexFunc(locals, func(l Local) bool { return l.Object == r.Object && l.Kind == r.Kind })
	}
	if i, ok := h.known[held{frame, r.Object, r.Kind}]; ok {
		return i
	}
	return -1
}

// know notes the last local of a frame, or all where they have just become many.
func (h *holder) know(frame int32, locals []Local) {
	if h.known == nil {
		h.known = map[held]int{}
	}
	n := len(locals)
	first := n - 1
	if n == fewLocals+1 {
		first = 0
	}
	for i := first; i < n; i++ {
		h.known[held{frame, locals[i].Object, locals[i].Kind}] = i
	}
}

// frameNames resolves frames, for all who ask: how classes and methods are called is read once. A
// JVM gives each thread frames of its own, by the million where virtual threads are many, but
// they are at few places in the program.
type frameNames struct {
	mu      sync.Mutex
	classes map[uint32]uint64 // by serial number: id of the name; nil at first
	texts   texts
	known   []Frame
	places  map[hprof.Frame]int32 // in known
	stacks  map[uint32][]int32    // by trace: for each frame its place, or notKnown
}

const (
	// manyFrames is beyond what a JVM has; more frames than that have their names read one by one,
	// and more places than that are not kept.
	manyFrames = 1 << 17
	notKnown   = -1
)

func newFrameNames(o *hprof.Outline) *frameNames {
	return &frameNames{texts: newTexts(o), places: map[hprof.Frame]int32{}, stacks: map[uint32][]int32{}}
}

// read reads what names frames.
func (n *frameNames) read() {
	outline := n.texts.outline
	n.classes = make(map[uint32]uint64, len(outline.Classes))
	for _, c := range outline.Classes {
		n.classes[c.Serial] = c.NameID
	}
	if len(outline.Frames) > manyFrames {
		return
	}
	n.texts.read(func(yield func(uint64) bool) {
		for _, f := range outline.Frames {
			if !yield(n.classes[f.ClassSerial]) || !yield(f.NameID) || !yield(f.SourceID) {
				return
			}
		}
	})
}

// frame returns the frame of that id.
func (n *frameNames) frame(id uint64) Frame {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.resolve(n.texts.outline.Frames[id])
}

// stack returns the frames of a trace, at most MaxFrames. They are the caller's.
func (n *frameNames) stack(trace uint32) []Frame {
	n.mu.Lock()
	defer n.mu.Unlock()
	outline := n.texts.outline
	ids := outline.Traces[trace].Frames
	ids = ids[:min(len(ids), MaxFrames)]
	places, ok := n.stacks[trace]
	if !ok {
		places = make([]int32, len(ids))
		for i, id := range ids {
			places[i] = n.place(outline.Frames[id])
		}
		n.stacks[trace] = places
	}
	frames := make([]Frame, len(ids))
	for i, p := range places {
		if p == notKnown {
			frames[i] = n.resolve(outline.Frames[ids[i]])
		} else {
			frames[i] = n.known[p]
		}
	}
	return frames
}

// place returns the place of a frame among those that are known.
func (n *frameNames) place(raw hprof.Frame) int32 {
	p, ok := n.places[raw]
	if ok {
		return p
	}
	if len(n.known) == manyFrames {
		return notKnown
	}
	p = int32(len(n.known))
	n.known, n.places[raw] = append(n.known, n.resolve(raw)), p
	return p
}

// resolve looks up how a frame's class and method are called.
func (n *frameNames) resolve(raw hprof.Frame) Frame {
	if n.classes == nil {
		n.read()
	}
	return Frame{
		Class:  n.texts.class(n.classes[raw.ClassSerial]),
		Method: n.texts.of(raw.NameID),
		Source: n.texts.of(raw.SourceID),
		Line:   raw.Line,
	}
}
