package hproftest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Tiny returns a heap with one of each kind of sub-record that HotSpot writes, and with
// what the analyser looks for: a thread with a stack, a timer with tasks, Finalizers.
func Tiny(idSize int) *Dump {
	j := NewJDK(17, idSize)
	node := j.Class("com.acme.Node", j.Object, Ref("next"), Int("value"), Bool("flag")).
		Static("count", int32(7)).Static("big", int64(-1)).Static("on", true)
	a, b := j.New(node).Set("value", int32(42)), j.New(node).Set("flag", true)
	a.Set("next", b)
	node.Static("first", a)
	j.Root(hprof.SubRootJNIGlobal, j.Array(j.Class("[Lcom.acme.Node;", j.Object), a, nil, b))
	j.Root(hprof.SubRootMonitor, b)
	task := j.Class("com.acme.Task", j.TimerTask, Ref("this$0"))
	j.Finalizer(b, Registered)
	j.Finalizer(j.New(node), Done)
	j.Timer("t", 8, j.Task(task, Cancelled, 3_000_000).Set("this$0", b), j.Task(task, Scheduled, 1000))
	return j.Finish()
}

// Seeds are small dumps of many shapes, by name: what fuzz targets begin with.
func Seeds() map[string][]byte {
	seeds := map[string][]byte{
		"other-format": []byte("JAVA PROFILE 2.0\x00\x00\x00\x00\x08"),
		"id-size-5":    []byte("JAVA PROFILE 1.0.2\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00"),
	}
	narrow, wide := Tiny(4), Tiny(8)
	seeds["plain-4"] = narrow.Encode(Shape{})
	seeds["plain-8"] = wide.Encode(Shape{})
	seeds["segments"] = wide.Encode(Shape{SegmentBytes: 300})
	seeds["shuffled"] = wide.Encode(Shape{SegmentBytes: 300, Shuffle: 7})
	seeds["cut"] = seeds["segments"][:len(seeds["segments"])*2/3]
	narrow.Version = "1.0.3"
	seeds["android"] = narrow.Encode(Shape{})
	return seeds
}

// WriteSeeds writes a corpus file for each set of arguments of a fuzz target, into the
// folder where "go test" looks for them, or checks that there are some: they are
// committed, and this is how they are made.
func WriteSeeds(t *testing.T, target string, seeds map[string][]any, update bool) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	if !update {
		if files, err := os.ReadDir(dir); err != nil || len(files) < len(seeds) {
			t.Errorf("%s lacks seeds: go test -run TestSeeds -update writes them", dir)
		}
		return
	}
	must(os.MkdirAll(dir, 0o755))
	for name, arguments := range seeds {
		var text strings.Builder
		text.WriteString("go test fuzz v1\n")
		for _, a := range arguments {
			if b, ok := a.([]byte); ok {
				text.WriteString("[]byte(" + strconv.Quote(string(b)) + ")\n")
				continue
			}
			fmt.Fprintf(&text, "%T(%#v)\n", a, a)
		}
		must(os.WriteFile(filepath.Join(dir, "seed-"+name), []byte(text.String()), 0o600))
	}
}
