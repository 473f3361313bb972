package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestWhatAListIsFullOf: what its first elements are does not say it.
func TestWhatAListIsFullOf(t *testing.T) {
	title := func(rows, orders int) string {
		j := hproftest.NewJDK(17, 8)
		row := j.Class("com.acme.Row", j.Object, hproftest.Ref("data"))
		order := j.Class("com.acme.Order", j.Object, hproftest.Ref("data"))
		elements := make([]*hproftest.Object, rows+orders)
		for i := range elements {
			class := row
			if i >= rows {
				class = order
			}
			elements[i] = j.New(class).Set("data", j.Bytes(make([]byte, 2048)))
		}
		list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
		array := j.Array(j.Class("[Ljava.lang.Object;", j.Object), elements...)
		j.Class("com.acme.Book", j.Object).Static("ENTRIES", j.New(list).Set("elementData", array).Set("size", int32(len(elements))))
		return only(t, "growing-collection", detect(t, j)).Title
	}
	assert.Contains(t, title(1100, 3000), "ArrayList with 4,100 elements of com.acme.Order retains")
	assert.Contains(t, title(4100, 0), "ArrayList with 4,100 elements of com.acme.Row retains")
	assert.Contains(t, title(2000, 2000), "ArrayList with 4,000 elements retains")
}

// TestVeryManyLoaders: all are counted, and what all retain.
func TestVeryManyLoaders(t *testing.T) {
	const loaders = 20_100
	j := hproftest.NewJDK(17, 8)
	class := j.Class("com.acme.PluginLoader", j.Class("java.lang.ClassLoader", j.Object), hproftest.Ref("data"))
	for range loaders {
		l := j.New(class).Set("data", j.Bytes(make([]byte, 100)))
		j.Class("com.acme.Plugin", j.Object).LoadedBy(l)
		j.Root(hprof.SubRootJNIGlobal, l)
	}
	f := only(t, "class-loader-leak", detect(t, j))
	assert.Contains(t, f.Title, "20,100 class loaders made at run time for classes such as com.acme.Plugin")
	assert.GreaterOrEqual(t, f.Bytes, int64(loaders*100))
}
