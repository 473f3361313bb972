package heap_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestALongNameIsThereOnce: however many records name it. 725 kB of records that
// name one text of 64 kB took 1.6 GB.
func TestALongNameIsThereOnce(t *testing.T) {
	long, member := "com.acme."+strings.Repeat("X", 1<<15), strings.Repeat("x", 1<<15)
	j := hproftest.NewJDK(17, 8)
	var frames []hproftest.Frame
	for range 3 {
		c := j.Class(long, j.Object, hproftest.Int(member))
		frames = append(frames, hproftest.Frame{Class: c, Method: member, Line: 1})
	}
	j.NewThread(j.Thread, "worker", frames...)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})

	var classes, fields, inFrames, methods []string
	for _, c := range g.Classes {
		if c.Name == long {
			classes, fields = append(classes, c.Name), append(fields, c.Fields[0].Name)
		}
	}
	for s := range g.Stacks() {
		for _, f := range s.Frames {
			inFrames, methods = append(inFrames, f.Class), append(methods, f.Method)
		}
	}
	for of, names := range map[string][]string{"classes": classes, "fields": fields, "classes of frames": inFrames, "methods": methods} {
		require.Len(t, names, 3, of)
		for _, n := range names {
			require.GreaterOrEqual(t, len(n), 1<<15, of)
			assert.Same(t, unsafe.StringData(names[0]), unsafe.StringData(n), of)
		}
	}
}

func TestDimensionsAreBounded(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.Class(strings.Repeat("[", 300)+"B", j.Object)
	var names []string
	for _, c := range build(t, j.Finish(), hproftest.Shape{}, heap.Options{}).Classes {
		names = append(names, c.Name)
	}
	assert.Contains(t, names, strings.Repeat("[", 45)+"B"+strings.Repeat("[]", 255))
}
