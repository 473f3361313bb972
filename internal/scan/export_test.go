package scan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// export returns the lines of an export, but for the titles.
func export(t *testing.T, path string, o scan.Options) []string {
	t.Helper()
	e, err := scan.NewExport(context.Background(), path, o)
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	var b bytes.Buffer
	require.NoError(t, e.WriteTSV(context.Background(), &b))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Equal(t, "address\tclass\tshallow\tretained\tidom", lines[0])
	require.Equal(t, *e.Report.Heap.ReachableObjects, int64(len(lines)-1))
	return lines[1:]
}

// TestExport checks the lines of a chain of two objects under a root.
func TestExport(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	evil := d.Class("com.acme.Ev\til\n", object, hproftest.Ref("next"))
	last := d.New(evil)
	first := d.New(evil).Set("next", last)
	d.New(evil) // unreachable
	d.Root(hprof.SubRootJNIGlobal, first)
	d.StickyClasses()
	path := d.WriteFile(t, hproftest.Shape{})
	class := `com.acme.Ev\x09il\x0a`
	lines := export(t, path, scan.Options{})
	assert.Contains(t, lines, fmt.Sprintf("%#x\t%s\t16\t32\t-", first.ID, class))
	assert.Contains(t, lines, fmt.Sprintf("%#x\t%s\t16\t16\t%#x", last.ID, class, first.ID))
	assert.Len(t, lines, 4, "two classes, two instances")
	assert.IsIncreasing(t, lines, "by address")

	lines = export(t, path, scan.Options{Edges: heap.EdgesMAT})
	assert.Equal(t, "0x0\tjava.lang.ClassLoader\t16\t16\t-", lines[0])
	assert.Contains(t, lines, fmt.Sprintf("%#x\t%s\t32\t64\t-", first.ID, class))
}

// TestDumpNumber reads the second dump of a file.
func TestDumpNumber(t *testing.T) {
	encoded := func(objects int) []byte {
		d := hproftest.New(8)
		class := d.Class("java.lang.Object", nil)
		for range objects {
			d.Root(hprof.SubRootJNIGlobal, d.New(class))
		}
		return d.Encode(hproftest.Shape{SegmentBytes: 1000})
	}
	second := encoded(5)
	header := len("JAVA PROFILE 1.0.2") + 1 + 12
	path := hproftest.WriteBytes(t, append(encoded(3), second[header:]...))
	assert.Len(t, export(t, path, scan.Options{}), 4)
	assert.Len(t, export(t, path, scan.Options{Dump: 1}), 6)
	for number, want := range []string{"this is number 1", "this is number 2"} {
		r, err := scan.File(context.Background(), path, scan.Options{Dump: number})
		require.NoError(t, err)
		require.Len(t, r.Warnings, 1)
		assert.Contains(t, r.Warnings[0].Message, want)
	}
	_, err := scan.File(context.Background(), path, scan.Options{Dump: 2})
	require.ErrorIs(t, err, heap.ErrNoDump)
	assert.ErrorContains(t, err, "number 3 of 2")
}

// TestMATReport has numbers, and no verdict that would follow from them.
func TestMATReport(t *testing.T) {
	r, err := scan.File(context.Background(), leak(8).WriteFile(t, hproftest.Shape{}), scan.Options{Edges: heap.EdgesMAT})
	require.NoError(t, err)
	assert.NotNil(t, r.Heap.ReachableObjects)
	assert.NotEmpty(t, r.Dominators)
	assert.Nil(t, r.Finalizers)
	assert.Nil(t, r.Schedulers)
	assert.Nil(t, r.Findings)
}

// failing is a disk that is full.
type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestExportToAFullDisk(t *testing.T) {
	e, err := scan.NewExport(context.Background(), leak(8).WriteFile(t, hproftest.Shape{}), scan.Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	full := errors.New("no space left")
	assert.ErrorIs(t, e.WriteTSV(context.Background(), failing{full}), full)
}

// TestExportOverLimit has the test itself pass the limit when an export has nothing left
// but its sums: the error is that of the limit, not that somebody stopped it.
func TestExportOverLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits are kept on Linux only")
	}
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	for range 150_000 { // enough for the sums to ask whether they may go on
		d.Root(hprof.SubRootJNIGlobal, d.New(object))
	}
	path := d.WriteFile(t, hproftest.Shape{})
	resident, err := offheap.Resident()
	require.NoError(t, err)
	var ballast []byte
	o := scan.Options{MaxMemoryBytes: resident + 256<<20, Planned: func(p scan.Plan) {
		if p.Phase != "adding up" {
			return
		}
		ballast = bytes.Repeat([]byte{1}, 512<<20)
		stacks := make([]byte, 1<<20)
		for bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("scan.(*budget).keep.")) && t.Context().Err() == nil {
			runtime.Gosched() // until the keeper of the limit has given up
		}
	}}
	_, err = scan.NewExport(t.Context(), path, o)
	runtime.KeepAlive(ballast)
	var memory *scan.MemoryError
	require.ErrorAs(t, err, &memory)
	assert.NotErrorIs(t, err, context.Canceled)
}
