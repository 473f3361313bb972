package finding_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestHeldSoftly has an array behind a SoftReference: it goes when memory is short, unless somebody
// else holds it, too, however far away.
func TestHeldSoftly(t *testing.T) {
	build := func(alsoHeld bool) *hproftest.JDK {
		j := hproftest.NewJDK(17, 8)
		text := j.Bytes(make([]byte, 4<<20))
		pool := j.New(j.Class("com.acme.TextPool", j.Object, hproftest.Ref("text"))).Set("text", text)
		j.Class("com.acme.Texts", j.Object).Static("SHARED", j.Soft(pool))
		if alsoHeld {
			far := j.Class("com.acme.Far", j.Object, hproftest.Ref("next"))
			j.Class("com.acme.Holder", j.Object).Static("HELD", j.New(far).Set("next", j.New(far).Set("next", pool)))
		}
		return j
	}
	f := only(t, "big-retainer", detect(t, build(false)))
	assert.Contains(t, f.Summary, "Only SoftReferences hold it: the JVM clears those before it throws an OutOfMemoryError.")
	assert.Contains(t, f.Advice, "it goes when memory is short")
	f = only(t, "big-retainer", detect(t, build(true)))
	assert.NotContains(t, f.Summary, "SoftReferences")
	assert.Contains(t, f.Summary, "from static field Holder.HELD on")
	assert.Contains(t, f.Advice, "let go of what is done with")
}

// TestSoftElements has a map whose values are SoftReferences of a class of the program's.
func TestSoftElements(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	soft := j.Class("com.acme.SoftThumb", j.ClassNamed("java.lang.ref.SoftReference"), hproftest.Ref("data"))
	j.Class("com.acme.Thumbs", j.Object).Static("BY_ID", hashMap(j, soft, 2000))
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Summary, "Only SoftReferences hold its elements")
	assert.NotContains(t, only(t, "growing-collection", detect(t, registry())).Summary, "SoftReferences")
}

// TestSoftValuesOfCache has a cache of a library's own whose values SoftReferences hold.
func TestSoftValuesOfCache(t *testing.T) {
	for _, softly := range []bool{true, false} {
		j := hproftest.NewJDK(17, 8)
		cache := j.Class("com.google.common.cache.LocalCache", j.Object, hproftest.Ref("segments"))
		var values []*hproftest.Object
		for range 300 {
			v := j.Bytes(make([]byte, 10_000))
			if softly {
				v = j.Soft(v)
			}
			values = append(values, v)
		}
		j.Class("com.acme.Reports", j.Object).Static("CACHE", j.New(cache).Set("segments", j.Array(j.Objects, values...)))
		f := only(t, "big-retainer", detect(t, j))
		assert.Equal(t, softly, strings.Contains(f.Summary, "Only SoftReferences hold its elements"))
	}
}

// TestEmptyReferences has a list of references, most of which refer to nothing any more, or to what is in use.
func TestEmptyReferences(t *testing.T) {
	for _, class := range []string{"java.lang.ref.SoftReference", "java.lang.ref.WeakReference"} {
		for _, empty := range []int{2000, 900, 0} {
			j := hproftest.NewJDK(17, 8)
			data := j.Bytes(make([]byte, 3<<20))
			j.Class("com.acme.Images", j.Object).Static("DATA", data)
			reference := j.Class("com.acme.ImageReference", j.ClassNamed(class), hproftest.Ref("key"))
			references := make([]*hproftest.Object, 2000)
			for i := range references {
				references[i] = j.New(reference).Set("key", j.Bytes(make([]byte, 1000)))
				if i >= empty {
					references[i].Set("referent", data)
				}
			}
			list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
			j.Class("com.acme.Cache", j.Object).Static("REFS", j.New(list).Set("elementData", j.Array(j.Objects, references...)).Set("size", int32(2000)))
			f := only(t, "growing-collection", detect(t, j))
			assert.Equal(t, empty == 2000, strings.Contains(f.Summary, "Most of the references in it are empty"), "%s %d", class, empty)
			assert.Equal(t, empty == 2000, strings.Contains(f.Advice, "when their references are cleared"))
		}
	}
}
