package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestThreadHasInHand has a thread that makes a document: the document, one of its pages and the texts of both
// are variables of its calls, so none of them retains the others.
func TestThreadHasInHand(t *testing.T) {
	f := func(elsewhere bool) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		page := j.Class("com.acme.Page", j.Object, hproftest.Ref("lines"))
		document := j.Class("com.acme.Document", j.Object, hproftest.Ref("page"), hproftest.Ref("cells"), hproftest.Ref("styles"))
		texts := func() *hproftest.Object {
			var all []*hproftest.Object
			for range 200 {
				all = append(all, j.Bytes(make([]byte, 10_000)))
			}
			return j.Array(j.Objects, all...)
		}
		current, cells := j.New(page).Set("lines", texts()), texts()
		d := j.New(document).Set("page", current).Set("cells", cells).Set("styles", texts())
		export := j.Class("com.acme.Export", j.Object)
		j.NewThread(j.Thread, "exec-7",
			hproftest.Frame{Class: j.Class("java.lang.OutOfMemoryError", j.Object), Method: "<init>"},
			hproftest.Frame{Class: j.Class("com.acme.Line", j.Object), Method: "add", Locals: []*hproftest.Object{cells}},
			hproftest.Frame{Class: export, Method: "write", Locals: []*hproftest.Object{d, current}})
		if elsewhere {
			j.Class("com.acme.Recent", j.Object).Static("DOCUMENT", d)
		}
		return detect(t, j)
	}
	found := f(false)[0]
	assert.Equal(t, "big-retainer", found.Kind)
	assert.Equal(t, finding.SeverityCritical, found.Severity)
	assert.Contains(t, found.Title, `The calls of thread "exec-7" hold 5.`)
	assert.Greater(t, found.Bytes, int64(3*200*10_000), "all that they have")
	assert.Equal(t, "com.acme.Export", found.Culprit.Class)
	assert.Equal(t, "exec-7", found.Culprit.Thread)
	assert.Contains(t, found.Summary, "Nothing but variables of these calls keeps that")
	assert.Contains(t, found.Advice, "Let com.acme.Export.write work in portions")
	assert.Contains(t, found.Evidence.Stack, "com.acme.Export.write(Export.java)")
	for _, other := range f(true) {
		assert.NotContains(t, other.Title, "The calls of thread", "a static field keeps it, too")
	}
}

// TestThreadsHaveInHand has requests of one kind under way, each with rows of its own: none of them holds
// much alone. Of virtual threads the lock that they wait for refers to each of them.
func TestThreadsHaveInHand(t *testing.T) {
	for _, kind := range []string{"threads", "virtual threads"} {
		j := hproftest.NewJDK(25, 8)
		class, task := j.Thread, j.Class("com.acme.Task", j.Object, hproftest.Ref("body"))
		if kind == "virtual threads" {
			class = j.Class("java.lang.VirtualThread", j.Thread, hproftest.Ref("task"), hproftest.Int("state"))
		}
		var waiters []*hproftest.Object
		for i := range 20 {
			rows := j.Bytes(make([]byte, 100_000))
			thread := j.NewThread(class, fmt.Sprintf("exec-%d", i), hproftest.Frame{Class: j.Class("com.acme.Report", j.Object), Method: "load", Locals: []*hproftest.Object{rows}})
			if kind == "virtual threads" {
				thread.Set("task", j.New(task).Set("body", rows))
			}
			waiters = append(waiters, thread)
		}
		j.Class("com.acme.Gate", j.Object).Static("WAITERS", j.Array(j.Objects, waiters...))
		f := only(t, "big-retainer", detect(t, j))
		assert.Contains(t, f.Title, "The calls of 20 "+kind+" hold 1.9")
		assert.Contains(t, f.Title, "com.acme.Report.load above all")
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Contains(t, f.Advice, "Bound how many may be in com.acme.Report.load at once")
	}
}

// TestAllOfProgramInHand has the main thread that has all of the program in variables and waits for its end.
func TestAllOfProgramInHand(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	part := func() *hproftest.Object {
		return j.New(j.Class("com.acme.Part", j.Object, hproftest.Ref("data"))).Set("data", j.Bytes(make([]byte, 2_000_000)))
	}
	main := j.NewThread(j.Thread, "main", hproftest.Frame{Class: j.Class("com.acme.Main", j.Object), Method: "main", Locals: []*hproftest.Object{part(), part()}})
	j.SetThread(main, 5, false, hproftest.Parked)
	for _, f := range detect(t, j) {
		assert.NotContains(t, f.Title, "The calls of thread")
	}
}
