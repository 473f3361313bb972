package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestClassesMadeInOneLoader has classes that were made at run time, all in the loader of the program.
func TestClassesMadeInOneLoader(t *testing.T) {
	build := func(name string, n int, at string) []finding.Finding {
		j := scripts(0, at, 1<<30)
		app := j.New(j.Class("jdk.internal.loader.ClassLoaders$AppClassLoader", j.Object))
		var all []*hproftest.Object
		for i := range n {
			all = append(all, j.New(j.Class(fmt.Sprintf(name, i), j.Object).LoadedBy(app).Static("MEMO", j.Bytes(make([]byte, 1000)))))
		}
		j.Class("com.acme.Prices", j.Object).Static("RULES", j.Array(j.Objects, all...))
		return byKind("class-loader-leak", detect(t, j))
	}
	for name, alike := range map[string]string{
		"com.acme.Rule+0x00007f8dbc%06x":                   "com.acme.Rule",
		"com.acme.Shop$$EnhancerBySpringCGLIB$$a9b8c7%04x": "com.acme.Shop$$EnhancerBySpringCGLIB$$*",
	} {
		f := only(t, "class-loader-leak", build(name, 1500, ""))
		assert.Equal(t, "1,500 classes made at run time in one class loader, of names like "+alike, f.Title)
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Contains(t, f.Summary, "They are in a jdk.internal.loader.ClassLoaders$AppClassLoader.")
		f = only(t, "class-loader-leak", build(name, 1500, "defineClass0"))
		assert.Equal(t, finding.SeverityCritical, f.Severity, "Metaspace ran out")
		assert.Empty(t, build(name, 900, ""))
	}
	assert.Empty(t, build("com.acme.Message%d", 1500, ""), "they were written so")
}
