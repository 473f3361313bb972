package heap

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

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
	// Frames are its calls, innermost first, at most 1,024. Stacks share them, nobody may write to
	// them.
	Frames []Frame
	// Omitted is how many frames are left out beyond those.
	Omitted int

	held []packedRoot // by frame, what belongs to none last
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
}

// Local is an object that a stack holds.
type Local struct {
	Object ObjID
	// Kind is hprof.SubRootJavaFrame, hprof.SubRootJNILocal or another kind of root
	// that belongs to a thread.
	Kind hprof.SubTag
	// Last is the place of the last variable that refers to it, among those of the frame, and Again
	// says that it is not the first one. "synchronized" keeps its object in a variable of its own,
	// behind the program's.
	Last  int
	Again bool
}

// String renders a frame as Java's own stack traces do.
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

// Stacks yields the threads of the dump with their stacks, in file order.
func (g *Graph) Stacks() iter.Seq[Stack] {
	return func(yield func(Stack) bool) {
		for _, t := range g.Threads {
			if !yield(g.Stack(t)) {
				return
			}
		}
	}
}

// Stack returns the stack of a thread.
func (g *Graph) Stack(t Thread) Stack {
	frames := g.frames.stack(t.stack)
	return Stack{Thread: t, Frames: frames, Omitted: g.Outline.Stacks.Depth(t.stack) - len(frames), held: g.rootsOf(t)}
}

// HeldBy yields what the stack of a thread holds, frame by frame, the same object perhaps again.
func (g *Graph) HeldBy(t Thread) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		for _, r := range g.rootsOf(t) {
			if !yield(ObjID(r[0])) {
				return
			}
		}
	}
}

// rootsOf returns what the stack of a thread holds.
func (g *Graph) rootsOf(t Thread) []packedRoot { return g.stackRoots.packed()[t.held.from:t.held.to] }

// sortStackRoots has threads know what their stacks hold.
func (b *builder) sortStackRoots() {
	held := b.stackRoots.packed()
	inOrder := func(x, y packedRoot) int {
		return cmp.Or(cmp.Compare(x.thread(), y.thread()), cmp.Compare(x.frame(), y.frame()))
	}
	if !slices.IsSortedFunc(held, inOrder) { // as most dumps list them
		slices.SortStableFunc(held, inOrder)
	}
	before := func(serial uint64) uint32 {
		n, _ := slices.BinarySearchFunc(held, serial, func(r packedRoot, serial uint64) int { return cmp.Compare(uint64(r.thread()), serial) })
		return uint32(n)
	}
	for i := range b.Threads {
		t := &b.Threads[i]
		t.held.from, t.held.to = before(uint64(t.Serial)), before(uint64(t.Serial)+1)
	}
}

// FrameOf returns the call that holds a root; ok is false for roots that no call holds.
func (g *Graph) FrameOf(r Root) (f Frame, ok bool) {
	if !r.Local() || r.Frame < 0 {
		return f, false
	}
	for _, t := range g.Threads {
		if t.Serial == r.Thread && int(r.Frame) < g.Outline.Stacks.Depth(t.stack) {
			return g.frames.frame(g.Outline.Stacks.Call(t.stack, int(r.Frame))), true
		}
	}
	return f, false
}

// Locals returns the objects that the variables of a frame and its pending expressions refer to,
// each once, at most MaxLocals.
func (s *Stack) Locals(frame int) []Local {
	locals, _ := told(s.of(frame))
	return locals
}

// LocalsOf returns the locals of a frame, and how many more the dump lists than MaxLocals, some of
// them perhaps again.
func (s *Stack) LocalsOf(frame int) (locals []Local, omitted int) { return told(s.of(frame)) }

// Loose returns what the stack holds outside of Frames, as LocalsOf what a frame does.
func (s *Stack) Loose() (locals []Local, omitted int) {
	return told(s.held[s.before(uint32(len(s.Frames))):])
}

// of returns what a frame holds.
func (s *Stack) of(frame int) []packedRoot {
	return s.held[s.before(uint32(frame)):s.before(uint32(frame)+1)]
}

// before returns how much is held by the frames before that one.
func (s *Stack) before(frame uint32) int {
	n, _ := slices.BinarySearchFunc(s.held, frame, func(r packedRoot, frame uint32) int { return cmp.Compare(r.frame(), frame) })
	return n
}

// told returns each object of a frame once. A leak of JNI references makes very many of one frame.
func told(held []packedRoot) (locals []Local, omitted int) {
	var known map[Local]int // places in locals, where there are more than fewLocals
	for place, p := range held {
		r := p.root()
		l := Local{Object: r.Object, Kind: r.Kind}
		at := -1
		if known == nil {
			at = slices.IndexFunc(locals, func(k Local) bool { return k.Object == l.Object && k.Kind == l.Kind })
		} else if n, ok := known[l]; ok {
			at = n
		}
		switch {
		case at >= 0:
			locals[at].Last, locals[at].Again = place, true
			continue
		case len(locals) == MaxLocals:
			omitted++
			continue
		}
		if known != nil {
			known[l] = len(locals)
		}
		l.Last = place
		if locals = append(locals, l); len(locals) == fewLocals {
			known = map[Local]int{}
			for i, k := range locals {
				known[Local{Object: k.Object, Kind: k.Kind}] = i
			}
		}
	}
	return locals, omitted
}

// fewLocals is how many locals are looked through sooner than found in a map.
const fewLocals = 8
