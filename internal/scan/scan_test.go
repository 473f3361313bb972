package scan_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// leak is a heap with a timer that holds statements.
func leak(idSize int) *hproftest.Dump {
	j := hproftest.NewJDK(17, idSize)
	statement := j.Class("com.acme.Statement", j.Object, hproftest.Bool("closed"), hproftest.Ref("buffer"))
	task := j.Class("com.acme.Statement$1", j.TimerTask, hproftest.Ref("this$0"))
	var tasks []*hproftest.Object
	for range 1200 {
		s := j.New(statement).Set("closed", true).Set("buffer", j.Bytes(make([]byte, 200)))
		j.Finalizer(s, hproftest.Registered)
		tasks = append(tasks, j.Task(task, hproftest.Cancelled, 3_000_000).Set("this$0", s))
	}
	j.Timer("Timer-0", 2048, tasks...)
	return j.Finish()
}

func file(t *testing.T, path string) *report.Report {
	t.Helper()
	r, err := scan.File(context.Background(), path, scan.Options{})
	require.NoError(t, err)
	return r
}

// TestShapeDoesNotMatter compares the whole reports on one heap written in many
// ways, but for what describes the file itself.
func TestShapeDoesNotMatter(t *testing.T) {
	d := leak(8)
	want := file(t, d.WriteFile(t, hproftest.Shape{}))
	require.Len(t, want.Findings, 1)
	for _, s := range []hproftest.Shape{{SegmentBytes: 700}, {SegmentBytes: 70000, Shuffle: 1}, {Shuffle: 2}, {Gzip: true}} {
		got := file(t, d.WriteFile(t, s))
		assert.Equal(t, map[bool]string{false: "none", true: "gzip"}[s.Gzip], got.Dump.Compression)
		got.Dump = want.Dump
		// Which of several equal paths is shown first may depend on the order of roots.
		require.Equal(t, want, got, "%+v", s)
	}
}

// TestRepeatedObjects: a report tells where objects are described again. A histogram counts those
// once more, and tells it where their classes are.
func TestRepeatedObjects(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object)
	j.Class("com.acme.Node", j.Object).ID = node.ID
	first := j.New(node)
	j.New(node).ID = first.ID
	path := j.Finish().WriteFile(t, hproftest.Shape{})
	for depth, want := range map[heap.Depth]struct {
		message string
		nodes   int64
	}{
		heap.Linked:  {"2 objects are described again: what comes first in the file counts", 1},
		heap.Counted: {"1 class is described again: of objects that are, too, a histogram counts each description (heapscan report counts the first)", 2},
	} {
		r, err := scan.File(t.Context(), path, scan.Options{Depth: depth})
		require.NoError(t, err)
		require.Len(t, r.Warnings, 1)
		assert.Equal(t, "repeated-objects", r.Warnings[0].Code)
		assert.Equal(t, want.message, r.Warnings[0].Message)
		assert.Positive(t, *r.Warnings[0].Offset)
		nodes := slices.IndexFunc(r.Histogram, func(c report.ClassRow) bool { return c.Class == "com.acme.Node" })
		assert.Equal(t, want.nodes, r.Histogram[nodes].Instances)
	}
}

// TestTwice wants the same bytes from the same dump.
func TestTwice(t *testing.T) {
	path := leak(8).WriteFile(t, hproftest.Shape{SegmentBytes: 4000})
	var first, second bytes.Buffer
	require.NoError(t, report.JSON(&first, file(t, path)))
	require.NoError(t, report.JSON(&second, file(t, path)))
	assert.Equal(t, first.String(), second.String())
}

// TestTotals checks that the parts sum up.
func TestTotals(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		r := file(t, leak(idSize).WriteFile(t, hproftest.Shape{}))
		var objects, bytes int64
		for _, c := range r.Histogram {
			objects += c.Instances
			bytes += c.ShallowBytes
		}
		assert.Equal(t, r.Heap.Objects, objects)
		assert.Equal(t, r.Heap.ShallowBytes, bytes)
		assert.Equal(t, r.Heap.Objects, *r.Heap.ReachableObjects+*r.Heap.UnreachableObjects)
		assert.Equal(t, r.Heap.ShallowBytes, *r.Heap.ReachableBytes+*r.Heap.UnreachableBytes)
		var retained int64
		for _, d := range r.Dominators {
			retained += d.RetainedBytes
		}
		assert.Zero(t, r.Limits.DominatorsOmitted)
		assert.Equal(t, *r.Heap.ReachableBytes, retained)
	}
}

// TestTruncated names the verdict from what is left of a cut dump.
func TestTruncated(t *testing.T) {
	data := leak(8).Encode(hproftest.Shape{SegmentBytes: 4000})
	cut := len(data) - 3000
	r := file(t, hproftest.WriteBytes(t, data[:cut]))
	assert.True(t, r.Dump.Truncated)
	require.NotEmpty(t, r.Warnings)
	assert.Equal(t, "truncated", r.Warnings[0].Code)
	assert.LessOrEqual(t, *r.Warnings[0].Offset, int64(cut))
	require.NotNil(t, r.Finalizers)
	assert.Equal(t, int64(1200), r.Finalizers.Total)
}

func TestHistogramOnly(t *testing.T) {
	path := leak(8).WriteFile(t, hproftest.Shape{})
	r, err := scan.File(context.Background(), path, scan.Options{
		Depth:   heap.Counted,
		Planned: func(p scan.Plan) { t.Errorf("there is nothing to plan: %v", p) },
	})
	require.NoError(t, err)
	full := file(t, path)
	for i := range full.Histogram {
		assert.NotNil(t, full.Histogram[i].RetainedBytes, "the whole report has it")
		full.Histogram[i].RetainedBytes = nil
	}
	assert.Equal(t, full.Histogram, r.Histogram)
	assert.Equal(t, full.Heap.Objects, r.Heap.Objects)
	assert.Equal(t, full.Heap.GCRoots, r.Heap.GCRoots)
	assert.Nil(t, r.Findings)
	assert.Nil(t, r.Finalizers)
	assert.Nil(t, r.Heap.ReachableObjects)
}

// TestNothingLeft reads a dump that was cut off before its heap.
func TestNothingLeft(t *testing.T) {
	path := hproftest.WriteBytes(t, leak(8).Encode(hproftest.Shape{})[:400])
	for _, edges := range []heap.Edges{heap.EdgesStrong, heap.EdgesMAT} {
		r, err := scan.File(t.Context(), path, scan.Options{Edges: edges})
		require.NoError(t, err)
		assert.True(t, r.Dump.Truncated)
		assert.NotEmpty(t, r.Warnings)
	}
}

func TestErrors(t *testing.T) {
	ctx := context.Background()
	_, err := scan.File(ctx, hproftest.WriteBytes(t, []byte("hello, this is no heap dump")), scan.Options{})
	assert.ErrorIs(t, err, hprof.ErrNotHprof)
	_, err = scan.File(ctx, filepath.Join(t.TempDir(), "missing.hprof"), scan.Options{})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = scan.File(ctx, hproftest.WriteBytes(t, leak(8).Encode(hproftest.Shape{})[:20]), scan.Options{})
	assert.ErrorIs(t, err, hprof.ErrTruncated)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, err = scan.File(stopped, leak(8).WriteFile(t, hproftest.Shape{}), scan.Options{})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestProgressGoesUp(t *testing.T) {
	last, phases := int64(-1), []string(nil)
	_, err := scan.File(context.Background(), leak(8).WriteFile(t, hproftest.Shape{Gzip: true}), scan.Options{
		Progress: func(phase string, done, total int64) {
			assert.GreaterOrEqual(t, done, last)
			assert.LessOrEqual(t, done, total)
			last, phases = done, append(phases, phase)
		},
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"inflating", "reading objects", "resolving references", "finding dominators", "adding up by class", "looking for trouble", "done"},
		slices.Compact(phases), "however short they are")
}

// TestDominatorTree follows the leak from the queue to what the statements keep, and
// adds up the entries of each depth.
func TestDominatorTree(t *testing.T) {
	r := file(t, leak(8).WriteFile(t, hproftest.Shape{}))
	var way []string // from the statements up
	i := slices.IndexFunc(r.DominatorTree, func(n report.DominatorNode) bool { return n.Class == "com.acme.Statement" })
	require.GreaterOrEqual(t, i, 0)
	for depth := r.DominatorTree[i].Depth; i >= 0; i-- {
		if n := r.DominatorTree[i]; n.Depth == depth {
			way, depth = append(way, n.Class), depth-1
		}
	}
	assert.Equal(t, []string{"com.acme.Statement", "com.acme.Statement$1", "java.util.TimerTask[]"}, way[:3])

	parents := []int64{*r.Heap.ReachableBytes}
	left := []int64{*r.Heap.ReachableBytes}
	for _, n := range r.DominatorTree {
		require.Less(t, n.Depth, len(parents))
		parents, left = parents[:n.Depth+1], left[:n.Depth+1]
		assert.LessOrEqual(t, n.RetainedBytes, parents[n.Depth])
		left[n.Depth] -= n.RetainedBytes
		require.GreaterOrEqual(t, left[n.Depth], int64(0), "%+v", n)
		assert.GreaterOrEqual(t, n.RetainedBytes, n.ShallowBytes)
		assert.GreaterOrEqual(t, n.RetainedObjects, n.Objects)
		parents, left = append(parents, n.RetainedBytes), append(left, n.RetainedBytes-n.ShallowBytes)
	}
}

// TestWhatIsLost: damage in the middle of a dump is no end of it, and the warning says how much is not
// read for it.
func TestWhatIsLost(t *testing.T) {
	d := hproftest.New(8)
	row := d.Class("com.example.Row", d.Class("java.lang.Object", nil), hproftest.Long("number"))
	var rows []*hproftest.Object
	for range 100 {
		rows = append(rows, d.New(row))
	}
	const instance = 1 + 8 + 4 + 8 + 4 + 8
	whole := d.Encode(hproftest.Shape{SegmentBytes: 50 * instance})
	at := bytes.Index(whole, binary.BigEndian.AppendUint64([]byte{byte(hprof.SubInstance)}, rows[30].ID))
	require.Positive(t, at)
	f := func(name string, dump []byte, code string, truncated bool, message string) {
		t.Run(name, func(t *testing.T) {
			r, err := scan.File(t.Context(), hproftest.WriteBytes(t, dump), scan.Options{})
			require.NoError(t, err)
			assert.Equal(t, truncated, r.Dump.Truncated)
			assert.True(t, r.Partial())
			last := r.Warnings[len(r.Warnings)-1]
			assert.Equal(t, code, last.Code)
			assert.Regexp(t, message, last.Message)
		})
	}
	long, unknown := bytes.Clone(whole), bytes.Clone(whole)
	binary.BigEndian.PutUint32(long[at+instance-12:], 1<<20)
	unknown[at] = 0x77
	segment := bytes.Clone(whole)
	segment[bytes.LastIndex(whole[:at], []byte{byte(hprof.TagHeapSegment), 0, 0, 0, 0})] = 0x99
	f("a body longer than its segment", long, report.WarningDamaged, false,
		`^instance at offset \d+: a body of 1048576 bytes, \d+ left; from there on \d{3} bytes are not read$`)
	f("an unknown sub-record", unknown, report.WarningDamaged, false, `unknown sub-record tag 0x77; from there on \d{3} bytes are not read$`)
	f("an unknown record", segment, report.WarningDamaged, false, `^record at offset \d+: unknown record tag 0x99; from there on \d{4} bytes are not read$`)
	f("a cut", whole[:at+instance-3], report.WarningTruncated, true,
		`^instance at offset \d+: a body of 8 bytes, 5 left: the dump ends in the middle of a record$`)
	f("a cut within what comes before the body", whole[:at+5], report.WarningTruncated, true,
		`^instance at offset \d+: the dump ends in the middle of a record$`)
}
