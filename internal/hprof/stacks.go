package hprof

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// Frame is one frame of a stack.
type Frame struct {
	NameID      uint64
	SourceID    uint64
	ClassSerial uint32
	// Line is the line number; -1 unknown, -2 compiled, -3 native.
	Line int32
}

// Stacks are the stacks of a dump, each once, and their frames, each once. A JVM lists the frames
// of each thread anew, by the million where virtual threads are many, but they are at few places
// in the program. Stack 0 has no frames, and frame 0 says nothing.
type Stacks struct {
	frames  offheap.List[uint64] // frameWords for each
	calls   offheap.List[uint32] // frames, one stack behind the other
	ends    offheap.List[uint64] // in calls, of each stack
	serials ordinals             // of the traces
	traces  offheap.List[uint32] // by trace: its stack
}

// frameWords is how many words a frame takes in Stacks.frames.
const frameWords = 3

// Len returns the number of stacks.
func (s *Stacks) Len() int { return s.ends.Len() }

// FrameCount returns the number of frames.
func (s *Stacks) FrameCount() int { return s.frames.Len() / frameWords }

// Frame returns a frame.
func (s *Stacks) Frame(frame uint32) Frame {
	at := int(frame) * frameWords
	place := s.frames.At(at + 2)
	return Frame{NameID: s.frames.At(at), SourceID: s.frames.At(at + 1), ClassSerial: uint32(place >> 32), Line: int32(uint32(place))}
}

// Of returns the stack of the trace with that serial number, 0 if there is none.
func (s *Stacks) Of(serial uint32) (stack uint32) {
	if at, ok := s.serials.of(uint64(serial)); ok {
		return s.traces.At(at)
	}
	return 0
}

// Depth returns how many frames a stack has.
func (s *Stacks) Depth(stack uint32) int {
	begin, end := s.bounds(stack)
	return end - begin
}

// Call returns the k-th frame of a stack, counted from the innermost one, 0.
func (s *Stacks) Call(stack uint32, k int) (frame uint32) {
	begin, _ := s.bounds(stack)
	return s.calls.At(begin + k)
}

// bounds says where in calls a stack lies.
func (s *Stacks) bounds(stack uint32) (begin, end int) {
	if stack > 0 {
		begin = int(s.ends.At(int(stack) - 1))
	}
	return begin, int(s.ends.At(int(stack)))
}

// Free gives the memory back; nothing of it may be used afterwards.
func (s *Stacks) Free() {
	s.frames.Free()
	s.calls.Free()
	s.ends.Free()
	s.serials.free()
	s.traces.Free()
}
