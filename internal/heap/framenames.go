package heap

import (
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// frameNames resolves frames, for all who ask: how classes and methods are called is read once,
// and so is each stack, which many threads may share.
type frameNames struct {
	mu      sync.Mutex
	classes map[uint32]uint64 // by serial number: id of the name; nil at first
	texts   texts
	known   [][]Frame // by stack, at most manyStacks; nil where not asked for, or too many frames
	left    int       // how many more frames known may have
}

const (
	// manyFrames is beyond what a JVM has; more frames than that have their names read one by one,
	// and more are not kept.
	manyFrames = 1 << 17
	manyStacks = 1 << 17
)

func newFrameNames(o *hprof.Outline) *frameNames {
	return &frameNames{texts: newTexts(o), left: manyFrames, known: make([][]Frame, min(o.Stacks.Len(), manyStacks))}
}

// read reads what names frames.
func (n *frameNames) read() {
	outline := n.texts.outline
	n.classes = make(map[uint32]uint64, outline.Classes.Len())
	for c := range outline.Classes.All() {
		n.classes[c.Serial] = c.NameID
	}
	frames := outline.Stacks.FrameCount()
	if frames > manyFrames {
		return
	}
	n.texts.read(func(yield func(uint64) bool) {
		for i := range frames {
			f := outline.Stacks.Frame(uint32(i))
			if !yield(n.classes[f.ClassSerial]) || !yield(f.NameID) || !yield(f.SourceID) {
				return
			}
		}
	})
}

// frame returns a frame of the outline's.
func (n *frameNames) frame(number uint32) Frame {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.resolve(n.texts.outline.Stacks.Frame(number))
}

// stack returns the frames of a stack, at most MaxFrames.
func (n *frameNames) stack(number uint32) []Frame {
	n.mu.Lock()
	defer n.mu.Unlock()
	if int(number) < len(n.known) && n.known[number] != nil {
		return n.known[number]
	}
	stacks := n.texts.outline.Stacks
	frames := make([]Frame, min(stacks.Depth(number), MaxFrames))
	for i := range frames {
		frames[i] = n.resolve(stacks.Frame(stacks.Call(number, i)))
	}
	if int(number) < len(n.known) && len(frames) <= n.left {
		n.left -= len(frames)
		n.known[number] = frames
	}
	return frames
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
