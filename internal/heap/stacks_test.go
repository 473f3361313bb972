package heap_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// twoThreads is a heap with a thread that has locals in its frames and one
// without a stack.
func twoThreads() (d *hproftest.Dump, lock, order *hproftest.Object) {
	j := hproftest.NewJDK(17, 8)
	shop := j.Class("com.acme.Shop", j.Object)
	lock, order = j.New(j.Object), j.New(shop)
	j.NewThread(j.Thread, "worker-1",
		hproftest.Frame{Class: j.Object, Method: "wait0", Line: -3},
		hproftest.Frame{Class: shop, Method: "sell", Line: 42, Locals: []*hproftest.Object{order, lock, order}})
	j.NewThread(j.Thread, "idle")
	return j.Finish(), lock, order
}

func TestStacks(t *testing.T) {
	for name, edges := range map[string]heap.Edges{"strong": heap.EdgesStrong, "mat": heap.EdgesMAT} {
		t.Run(name, func(t *testing.T) {
			d, lock, order := twoThreads()
			g := build(t, d, hproftest.Shape{}, heap.Options{Edges: edges})
			stacks := slices.Collect(g.Stacks())
			require.Len(t, stacks, 2)
			require.Len(t, stacks[0].Frames, 2)
			assert.Equal(t, "java.lang.Object.wait0(Native Method)", stacks[0].Frames[0].String())
			assert.Empty(t, stacks[0].Locals(0))
			assert.Equal(t, "com.acme.Shop.sell(Shop.java:42)", stacks[0].Frames[1].String())
			assert.Equal(t, []heap.Local{
				{Object: g.Object(order.ID), Kind: hprof.SubRootJavaFrame, Last: 2, Again: true},
				{Object: g.Object(lock.ID), Kind: hprof.SubRootJavaFrame, Last: 1},
			}, stacks[0].Locals(1), "each once, in the order of the file")
			loose, _ := stacks[0].Loose()
			assert.Empty(t, loose)
			assert.Empty(t, stacks[1].Frames)
		})
	}
}

// What belongs to no frame that is there is not lost.
func TestLooseLocals(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.NewThread(j.Thread, "native", hproftest.Frame{Class: j.Object, Method: "call", Line: -3})
	var locals []*hproftest.Object
	for _, frame := range []int32{-1, 0, 1, math.MaxInt32} {
		locals = append(locals, j.New(j.Object))
		j.StackRoot(hprof.SubRootJNILocal, locals[len(locals)-1], 1, frame)
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	local := func(i, last int) heap.Local {
		return heap.Local{Object: g.Object(locals[i].ID), Kind: hprof.SubRootJNILocal, Last: last}
	}
	for s := range g.Stacks() {
		assert.Equal(t, []heap.Local{local(1, 0)}, s.Locals(0))
		loose, omitted := s.Loose()
		assert.Equal(t, []heap.Local{local(2, 0), local(0, 1), local(3, 2)}, loose)
		assert.Zero(t, omitted)
	}
}

// TestManyLocals: a leak of JNI references holds very many objects, some of them twice, in order.
func TestManyLocals(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.NewThread(j.Thread, "native", hproftest.Frame{Class: j.Object, Method: "call", Line: -3})
	const n = heap.MaxLocals - 2
	for range n {
		j.StackRoot(hprof.SubRootJNILocal, j.New(j.Object), 1, 0)
	}
	again := j.New(j.Object)
	j.StackRoot(hprof.SubRootJNILocal, again, 1, 0)
	j.StackRoot(hprof.SubRootJNILocal, again, 1, -1)
	j.StackRoot(hprof.SubRootJavaFrame, again, 1, 0)
	j.StackRoot(hprof.SubRootJNILocal, again, 1, 0)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	o := g.Object(again.ID)
	for s := range g.Stacks() {
		locals, omitted := s.LocalsOf(0)
		require.Len(t, locals, n+2)
		assert.Zero(t, omitted)
		assert.Equal(t, []heap.Local{
			{Object: o, Kind: hprof.SubRootJNILocal, Last: n + 2, Again: true},
			{Object: o, Kind: hprof.SubRootJavaFrame, Last: n + 1},
		}, locals[n:])
		loose, _ := s.Loose()
		assert.Equal(t, []heap.Local{{Object: o, Kind: hprof.SubRootJNILocal}}, loose)
	}
}

// TestLocalsAreBounded: a frame tells so many objects apart, and counts the rest; all are held.
func TestLocalsAreBounded(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.NewThread(j.Thread, "native", hproftest.Frame{Class: j.Object, Method: "call", Line: -3})
	const n = heap.MaxLocals + 10
	for range n {
		o := j.New(j.Object)
		j.StackRoot(hprof.SubRootJNILocal, o, 1, 0)
		j.StackRoot(hprof.SubRootJNILocal, o, 1, -1)
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	for s := range g.Stacks() {
		for _, told := range []func() ([]heap.Local, int){func() ([]heap.Local, int) { return s.LocalsOf(0) }, s.Loose} {
			locals, omitted := told()
			assert.Len(t, locals, heap.MaxLocals)
			assert.Equal(t, 10, omitted)
		}
		assert.Len(t, slices.Collect(g.HeldBy(s.Thread)), 2*n)
	}
}

// TestThreadsInAnyOrder: what threads hold is theirs though the dump lists it by turns.
func TestThreadsInAnyOrder(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	held := map[uint32][]uint64{}
	for range 3 {
		j.NewThread(j.Thread, "one of three", hproftest.Frame{Class: j.Object, Method: "call", Line: -3})
	}
	for i := range 50 {
		o, thread := j.New(j.Object), uint32(i*7%5) // 0 is no thread, and 4 none that is there
		j.StackRoot(hprof.SubRootJavaFrame, o, thread, 0)
		held[thread] = append(held[thread], o.ID)
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	for s := range g.Stacks() {
		var got []uint64
		for _, l := range s.Locals(0) {
			got = append(got, g.Address(l.Object))
		}
		assert.Equal(t, held[s.Serial], got)
		assert.Len(t, got, 10)
	}
}

func TestStacksAreBounded(t *testing.T) {
	j := hproftest.NewJDK(17, 4)
	deep := slices.Repeat([]hproftest.Frame{{Class: j.Object, Method: "again", Line: 1}}, 1024+7)
	j.NewThread(j.Thread, "endless", deep...)
	for s := range build(t, j.Finish(), hproftest.Shape{}, heap.Options{}).Stacks() {
		assert.Len(t, s.Frames, 1024)
		assert.Equal(t, 7, s.Omitted)
	}
}

func TestFrameString(t *testing.T) {
	f := heap.Frame{Class: "com.acme.Shop", Method: "sell", Source: "Shop.java"}
	for line, want := range map[int32]string{
		7: "Shop.java:7", 0: "Shop.java", -1: "Shop.java", -2: "Shop.java", -3: "Native Method",
	} {
		f.Line = line
		assert.Equal(t, "com.acme.Shop.sell("+want+")", f.String())
	}
	assert.Equal(t, "A.b(Unknown Source)", heap.Frame{Class: "A", Method: "b", Line: 3}.String())
	assert.Equal(t, "(a frame that the dump does not describe)", heap.Frame{Line: 3}.String())
}

func TestThreadInfos(t *testing.T) {
	for status, want := range map[int32]string{
		0x0: "NEW", 0x5: "RUNNABLE", 0x401: "BLOCKED", 0x191: "WAITING", 0x1a1: "TIMED_WAITING", 0x2: "TERMINATED", 0x1: "RUNNABLE",
	} {
		for _, version := range []int{8, 17, 21} {
			j := hproftest.NewJDK(version, 8)
			thread := j.NewThread(j.Thread, "worker-1")
			j.SetThread(thread, 7, true, status)
			other := j.New(j.Object)
			g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
			infos, err := g.ThreadInfos(t.Context(), []heap.ObjID{g.Object(thread.ID), g.Object(other.ID)})
			require.NoError(t, err)
			assert.Equal(t, map[heap.ObjID]heap.ThreadInfo{
				g.Object(thread.ID): {Name: "worker-1", Daemon: true, Priority: 7, State: want},
			}, infos, "JDK %d", version)
		}
	}
}

func TestVirtualThread(t *testing.T) {
	j := hproftest.NewJDK(25, 8)
	base := j.Class("java.lang.BaseVirtualThread", j.Thread)
	virtual := j.Class("java.lang.VirtualThread", base, hproftest.Int("state")).Static("RUNNING", int32(2)).Static("PARKED", int32(4))
	thread := j.NewThread(virtual, "").Set("state", int32(4|1<<8))
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	infos, err := g.ThreadInfos(t.Context(), []heap.ObjID{g.Object(thread.ID)})
	require.NoError(t, err)
	assert.Equal(t, heap.ThreadInfo{Virtual: true, Daemon: true, State: "PARKED"}, infos[g.Object(thread.ID)])
}
