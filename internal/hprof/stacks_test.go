package hprof_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// frame is a FRAME record: a method of class 7.
func frame(id, name uint64, line uint32) []byte {
	b := binary.BigEndian.AppendUint64(nil, id)
	b = binary.BigEndian.AppendUint64(b, name)
	b = append(b, make([]byte, 16)...) // signature, source
	b = binary.BigEndian.AppendUint32(b, 7)
	return rec(hprof.TagFrame, binary.BigEndian.AppendUint32(b, line))
}

// trace is a TRACE record.
func trace(serial uint32, frames ...uint64) []byte {
	b := binary.BigEndian.AppendUint32(nil, serial)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(frames)))
	for _, f := range frames {
		b = binary.BigEndian.AppendUint64(b, f)
	}
	return rec(hprof.TagTrace, b)
}

// lines are those of the frames of a stack.
func lines(s *hprof.Stacks, stack uint32) (lines []int) {
	for k := range s.Depth(stack) {
		lines = append(lines, int(s.Frame(s.Call(stack, k)).Line))
	}
	return lines
}

// TestStacksAreThereOnce: a JVM lists the frames of each thread anew.
func TestStacksAreThereOnce(t *testing.T) {
	var records [][]byte
	for i := range uint64(1000) {
		records = append(records, frame(2*i+1, 5, 10), frame(2*i+2, 5, 20+uint32(i%3)), trace(uint32(i)+1, 2*i+1, 2*i+2))
	}
	var memory offheap.Memory
	f, err := open(t, raw(records...))
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), &memory)
	require.NoError(t, err)
	assert.Equal(t, 1+3, o.Stacks.Len(), "and the empty one")
	assert.Equal(t, 1+4, o.Stacks.FrameCount(), "and the unknown one")
	for i := range uint32(1000) {
		require.Equal(t, []int{10, 20 + int(i%3)}, lines(o.Stacks, o.Stacks.Of(i+1)))
	}
	assert.Equal(t, hprof.Frame{NameID: 5, ClassSerial: 7, Line: 10}, o.Stacks.Frame(o.Stacks.Call(o.Stacks.Of(1), 0)))
	o.Free()
	assert.Zero(t, memory.Reserved())
}

// TestFramesInAnyOrder: no other program needs to number them as a JVM does.
func TestFramesInAnyOrder(t *testing.T) {
	const none, highest = 99, ^uint64(0)
	f, err := open(t, raw(
		trace(9, 3, 1, none, 4, 5),
		frame(3, 1, 30), frame(2, 1, 20), frame(1, 1, 10), frame(4, 1, 40), frame(5, 1, 50), frame(highest, 1, 60),
		trace(1, 5, highest, 0), trace(2),
		frame(4, 1, 41), trace(7, 1), trace(7, 2)))
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	defer o.Free()
	assert.Equal(t, []int{30, 10, 0, 41, 50}, lines(o.Stacks, o.Stacks.Of(9)), "of several frames of one id the last counts")
	assert.Equal(t, []int{50, 60, 0}, lines(o.Stacks, o.Stacks.Of(1)))
	assert.Equal(t, []int{20}, lines(o.Stacks, o.Stacks.Of(7)), "of traces, too")
	assert.Empty(t, lines(o.Stacks, o.Stacks.Of(2)))
	assert.Empty(t, lines(o.Stacks, o.Stacks.Of(8)), "there is none")
}

// TestDeepStack has a stack of more frames than a record of another kind has room for: it is read, and what
// follows it too. One whose length is not that of its frames is damage.
func TestDeepStack(t *testing.T) {
	frames := make([]uint64, 600_000)
	deep, rest := trace(1, frames...), append(name(1, "behind"), rec(hprof.TagHeapDump, nil)...)
	m := meet(t, raw(deep, rest))
	assert.Empty(t, m.damage)
	assert.Equal(t, []hprof.Tag{hprof.TagTrace, hprof.TagUTF8, hprof.TagHeapDump}, m.records)
	binary.BigEndian.PutUint32(deep[1+4+4+8:], 599_999)
	assert.NotEmpty(t, meet(t, raw(deep, rest)).damage)
}
