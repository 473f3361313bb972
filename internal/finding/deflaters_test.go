package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestOpenDeflaters has those that nobody ended; what is ended takes nothing.
func TestOpenDeflaters(t *testing.T) {
	f := func(open, ended int) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		native := j.Class("java.util.zip.Deflater$DeflaterZStreamRef", j.Object, hproftest.Long("address"))
		class := j.Class("java.util.zip.Deflater", j.Object, hproftest.Ref("zsRef"))
		all := make([]*hproftest.Object, open+ended)
		for i := range all {
			ref := j.New(native)
			if i < open {
				ref.Set("address", int64(0x7f0000001000))
			}
			all[i] = j.New(class).Set("zsRef", ref)
		}
		j.Class("com.acme.Packer", j.Object).Static("SESSIONS", j.Array(j.Objects, all...))
		return byKind("open-deflaters", detect(t, j))
	}
	found := f(2000, 500)
	if assert.Len(t, found, 1) {
		assert.Equal(t, finding.SeverityInfo, found[0].Severity, "connections may have one each")
		assert.Equal(t, "2,000 Deflaters are open, with some 500 MiB outside the heap", found[0].Title)
		assert.Contains(t, found[0].Summary, "Most are held by static field Packer.SESSIONS.")
		assert.True(t, found[0].NoShare(), "it is outside the heap")
	}
	assert.Empty(t, f(900, 5000))
}

// TestInflatersOfKeptJars has jar files that the JDK keeps open, each with an Inflater.
func TestInflatersOfKeptJars(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	native := j.Class("java.util.zip.Inflater$InflaterZStreamRef", j.Object, hproftest.Long("address"))
	inflater := j.Class("java.util.zip.Inflater", j.Object, hproftest.Ref("zsRef"))
	file := j.Class("sun.net.www.protocol.jar.URLJarFile", j.Object, hproftest.Ref("inflater"))
	files := make([]*hproftest.Object, 2000)
	for i := range files {
		files[i] = j.New(file).Set("inflater", j.New(inflater).Set("zsRef", j.New(native).Set("address", int64(0x7f0000001000))))
	}
	j.Class("sun.net.www.protocol.jar.JarFileFactory", j.Object).Static("urlCache", j.Array(j.Objects, files...))
	j.StickyClasses()
	assert.Contains(t, only(t, "open-deflaters", detect(t, j)).Advice, "URLConnection.setUseCaches(false)")
}
