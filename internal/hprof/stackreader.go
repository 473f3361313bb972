package hprof

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// stackReader makes Stacks of the records that tell of frames and traces, in whatever order.
type stackReader struct {
	*Stacks
	m           *offheap.Memory
	knownFrames interner
	knownStacks interner
	frameIDs    ordinals
	recorded    offheap.List[uint32] // by FRAME record: its frame
	// parts are those of the traces: frames whose ids follow each other, of each the first id and
	// how many they are.
	parts    offheap.List[uint64]
	partEnds offheap.List[uint64] // in parts, of each TRACE record
	records  int                  // of whatever kind
	planned  int64                // bytes that are reserved when the next plan is due
	err      error                // no memory; the first counts
}

const (
	// planBytes is how much tables may grow by without a plan.
	planBytes = 16 << 20
	// planEvery is how many records go by between two looks at that.
	planEvery = 1 << 10
)

func newStackReader(m *offheap.Memory) *stackReader {
	r := &stackReader{Stacks: &Stacks{}, m: m, knownFrames: newInterner(m), knownStacks: newInterner(m)}
	r.intern(Frame{})
	r.internStack(nil)
	if m != nil {
		r.planned = m.Reserved() + planBytes
	}
	return r
}

// frame takes over a FRAME record.
func (r *stackReader) frame(id uint64, f Frame) {
	r.failed(r.frameIDs.add(r.m, id))
	add(r, &r.recorded, r.intern(f))
}

// trace takes over a TRACE record, whose body goes on with the frames' ids.
func (r *stackReader) trace(serial uint32, frames uint32, b *Body) {
	var first, n uint64
	for range frames {
		id := b.ID()
		if n > 0 && id == first+n {
			n++
			continue
		}
		r.part(first, n)
		first, n = id, 1
	}
	r.part(first, n)
	r.failed(r.serials.add(r.m, uint64(serial)))
	add(r, &r.partEnds, uint64(r.parts.Len()))
}

func (r *stackReader) part(first, n uint64) {
	if n > 0 {
		add(r, &r.parts, first)
		add(r, &r.parts, n)
	}
}

// intern returns the number of a frame.
func (r *stackReader) intern(f Frame) uint32 {
	if r.err != nil {
		return 0
	}
	place := uint64(f.ClassSerial)<<32 | uint64(uint32(f.Line))
	t := &r.knownFrames
	hash := t.mix(t.mix(t.mix(0, f.NameID), f.SourceID), place)
	number, fresh, err := t.number(hash, func(n uint32) bool { return r.Frame(n) == f })
	if fresh {
		add(r, &r.frames, f.NameID)
		add(r, &r.frames, f.SourceID)
		add(r, &r.frames, place)
	}
	r.failed(err)
	return number
}

// internStack returns the number of the stack of these frames.
func (r *stackReader) internStack(frames []uint32) uint32 {
	if r.err != nil {
		return 0
	}
	t := &r.knownStacks
	hash := uint64(len(frames))
	for _, f := range frames {
		hash = t.mix(hash, uint64(f))
	}
	number, fresh, err := t.number(hash, func(n uint32) bool { return r.equal(n, frames) })
	if fresh {
		for _, f := range frames {
			add(r, &r.calls, f)
		}
		add(r, &r.ends, uint64(r.calls.Len()))
	}
	r.failed(err)
	return number
}

// equal says whether a stack is of these frames.
func (r *stackReader) equal(stack uint32, frames []uint32) bool {
	if r.Depth(stack) != len(frames) {
		return false
	}
	for k, f := range frames {
		if r.Call(stack, k) != f {
			return false
		}
	}
	return true
}

// plan tells now and then that more memory is going to be taken. Errors: those of the planner.
func (r *stackReader) plan() error {
	if r.records++; r.records%planEvery > 0 || r.m == nil || r.m.Reserved() < r.planned {
		return nil
	}
	growing := r.knownFrames.bytes() + r.knownStacks.bytes() // twice as much is taken to grow them
	r.planned = r.m.Reserved() + planBytes
	return r.m.Plan(offheap.Need{Phase: "reading classes and stacks", Bytes: planBytes + 2*growing})
}

// finish returns the stacks when all records are read. Errors: no memory.
func (r *stackReader) finish() (*Stacks, error) {
	r.failed(r.frameIDs.seal(r.m))
	r.failed(r.serials.seal(r.m))
	var frames []uint32
	from := 0
	for t := 0; t < r.partEnds.Len() && r.err == nil; t++ {
		frames = frames[:0]
		to := int(r.partEnds.At(t))
		for ; from < to; from += 2 {
			first, n := r.parts.At(from), r.parts.At(from+1)
			for id := first; id-first < n; id++ {
				if at, ok := r.frameIDs.of(id); ok {
					frames = append(frames, r.recorded.At(at))
				} else {
					frames = append(frames, 0)
				}
			}
		}
		add(r, &r.traces, r.internStack(frames))
	}
	r.frameIDs.free()
	r.recorded.Free()
	r.parts.Free()
	r.partEnds.Free()
	r.knownFrames.free()
	r.knownStacks.free()
	if r.err != nil {
		r.Free()
		return nil, r.err
	}
	return r.Stacks, nil
}

// add appends to a list, unless there was no memory once.
func add[T offheap.Number](r *stackReader, l *offheap.List[T], item T) {
	if r.err == nil {
		r.failed(l.Append(r.m, item))
	}
}

func (r *stackReader) failed(err error) {
	if r.err == nil {
		r.err = err
	}
}
