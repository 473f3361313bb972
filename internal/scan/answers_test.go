package scan_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// answers are what is asked of one object of a heap, without what the file is like.
type answers struct {
	path       *report.ObjectPath
	inspection *report.Inspection
	children   *report.Dominators
	threads    *report.Threads
}

// askAll asks everything of the dump at path.
func askAll(t *testing.T, path string, object uint64, retained bool) (a answers) {
	t.Helper()
	at := scan.Address{At: object}
	var err error
	a.path, err = scan.Path(t.Context(), path, scan.Options{}, scan.PathOptions{Object: at, Limit: 20})
	require.NoError(t, err)
	a.inspection, err = scan.Inspect(t.Context(), path, scan.Options{}, scan.InspectOptions{Object: at, Limit: 20, Retained: retained})
	require.NoError(t, err)
	a.children, err = scan.Dominators(t.Context(), path, scan.Options{}, scan.DominatorsOptions{Of: &at, Limit: 20})
	require.NoError(t, err)
	a.threads, err = scan.Threads(t.Context(), path, scan.Options{}, scan.ThreadsOptions{Limit: 20, Retained: retained})
	require.NoError(t, err)
	for _, head := range []*report.Head{a.path.About(), a.inspection.About(), a.children.About(), a.threads.About()} {
		require.Empty(t, head.Warnings)
		head.Dump = report.Dump{}
	}
	return a
}

// TestAnswersDoNotDependOnTheShape: however a heap is written, what it holds is the same.
func TestAnswersDoNotDependOnTheShape(t *testing.T) {
	for _, version := range []int{8, 21} {
		j := hproftest.NewJDK(version, 8)
		node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Ref("name"))
		last := j.New(node).Set("name", j.String("the last one"))
		first := j.New(node).Set("next", last).Set("name", j.String("the first one"))
		j.Class("com.acme.Main", j.Object).Static("list", j.Array(j.Objects, nil, first))
		j.Weak(last)
		j.NewThread(j.Thread, "main", hproftest.Frame{Class: node, Method: "run", Line: 7, Locals: []*hproftest.Object{j.New(node)}})
		d := j.Finish()

		want := askAll(t, d.WriteFile(t, hproftest.Shape{}), first.ID, true)
		require.Len(t, want.path.Steps, 3)
		assert.Equal(t, "the first one", *want.inspection.Fields[1].Ref.Text)
		require.Len(t, want.children.Dominators, 2)
		assert.Equal(t, "main", want.threads.Threads[0].Name)
		for name, shape := range map[string]hproftest.Shape{
			"segments": {SegmentBytes: 300}, "shuffled": {SegmentBytes: 300, Shuffle: 9}, "gzip": {Gzip: true}, "chunks": {ChunkBytes: 900}, "zstd": {Zstd: true},
		} {
			assert.Equal(t, want, askAll(t, d.WriteFile(t, shape), first.ID, true), "JDK %d, %s", version, name)
		}

		// Without the graph the rest is the same.
		quick := askAll(t, d.WriteFile(t, hproftest.Shape{}), first.ID, false)
		want.inspection.RetainedBytes, want.inspection.Reachable, want.inspection.Dominator = nil, nil, nil
		assert.Equal(t, want.inspection, quick.inspection)
		assert.Nil(t, quick.threads.Threads[0].RetainedBytes)
	}
}

func TestNoObject(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	bytes := j.Bytes(make([]byte, 50))
	path := j.Finish().WriteFile(t, hproftest.Shape{})
	for address, hint := range map[uint64]string{
		0: "0x0 stands for null", bytes.ID + 8: "lies within", 1: "the nearest object is 0x70000000, a java.lang.Class", math.MaxUint64: "the nearest object is",
	} {
		_, err := scan.Path(t.Context(), path, scan.Options{}, scan.PathOptions{Object: scan.Address{At: address}, Limit: 1})
		var none *scan.NoObjectError
		require.ErrorAs(t, err, &none)
		assert.Equal(t, address, none.Address)
		assert.Contains(t, none.Hint(), hint)
	}
}

// TestAClassThatIsNotDescribed is no object, and told as what it is.
func TestAClassThatIsNotDescribed(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	gone := j.Class("com.acme.Gone", j.Object)
	j.New(gone)
	d := j.Finish()
	d.Forget(gone)
	_, err := scan.Path(t.Context(), d.WriteFile(t, hproftest.Shape{}), scan.Options{}, scan.PathOptions{Object: scan.Address{At: gone.ID}, Limit: 20})
	var none *scan.NoObjectError
	require.ErrorAs(t, err, &none)
	assert.Contains(t, none.Hint(), "which the dump does not describe")
}
