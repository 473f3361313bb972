package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// valuesOfClasses is a heap in which no GC root reaches the map of a class's ClassValues, as HPROF has no field of a Class for it: n
// values of 1000 bytes each.
func valuesOfClasses(n int) *hproftest.JDK {
	j := registry()
	value := j.Class("java.lang.ClassValue", j.Object)
	meta := j.New(j.Class("com.acme.Meta$1", value))
	version := j.New(j.Class("java.lang.ClassValue$Version", j.Object, hproftest.Ref("classValue"))).Set("classValue", meta)
	class := j.Class("java.lang.ClassValue$Entry", j.WeakReference, hproftest.Ref("value"))
	node := j.Class("java.util.WeakHashMap$Entry", j.WeakReference, hproftest.Ref("value"))
	nodes := make([]*hproftest.Object, n)
	for i := range nodes {
		entry := j.New(class).Set("referent", version).Set("value", j.Bytes(make([]byte, 1000)))
		nodes[i] = j.New(node).Set("value", entry)
	}
	weak := j.Class("java.util.WeakHashMap", j.Object, hproftest.Ref("table"))
	m := j.Class("java.lang.ClassValue$ClassValueMap", weak, hproftest.Ref("cacheArray"))
	j.New(m).Set("table", j.Array(j.Class("[Ljava.util.WeakHashMap$Entry;", j.Object), nodes...))
	j.Class("com.acme.Meta", j.Object).Static("CACHE", meta)
	return j
}

func TestClassValues(t *testing.T) {
	f := only(t, "class-values", detect(t, valuesOfClasses(2000)))
	assert.Equal(t, finding.SeverityInfo, f.Severity, "the classes may be unloaded")
	assert.Equal(t, "com.acme.Meta$1", f.Culprit.Class)
	assert.Equal(t, int64(1+1+3*2000), f.Objects, "the map, its table, and two links and a value each")
	assert.Greater(t, f.Bytes, int64(2000*1000))
	assert.Contains(t, f.Summary, "are values of com.acme.Meta$1")
	assert.True(t, f.NoShare(), "they are not among what is in use")
	assert.Empty(t, byKind("class-values", detect(t, valuesOfClasses(200))), "every JVM has a few")
}
