package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// compiled is a heap in which that many loaders of queries, with two classes of the same names each, hold the file of one.
func compiled(n int, file []byte) *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	loaders := j.Class("org.codehaus.janino.ByteArrayClassLoader", j.Object, hproftest.Ref("file"))
	cache := make([]*hproftest.Object, n)
	for i := range cache {
		l := j.New(loaders).Set("file", j.Bytes(append(file, make([]byte, 2000)...)))
		j.Class("com.acme.Query$Rows", j.Object).LoadedBy(l)
		cache[i] = j.New(j.Class("com.acme.Query", j.Object).LoadedBy(l))
	}
	j.Class("com.acme.Plans", j.Object).Static("CACHE", j.Array(j.Objects, cache...))
	return j
}

// TestCompiledInMemory has classes of the same names in several loaders. Where these have the class files, the code was compiled,
// not deployed over and over.
func TestCompiledInMemory(t *testing.T) {
	leaks := func(n int, magic ...byte) []finding.Finding {
		return byKind("class-loader-leak", detect(t, compiled(n, magic)))
	}
	assert.Empty(t, leaks(13, 0xca, 0xfe, 0xba, 0xbe), "any language that is compiled at run time has some")
	f := only(t, "class-loader-leak", leaks(120, 0xca, 0xfe, 0xba, 0xbe))
	assert.Contains(t, f.Summary, "each with the class files of its code in memory")
	assert.Contains(t, f.Advice, "Compile each script")
	f = only(t, "class-loader-leak", leaks(13, 1, 2, 3, 4))
	assert.Contains(t, f.Summary, "If it was deployed again and again")
}
