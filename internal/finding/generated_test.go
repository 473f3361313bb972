package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// scripts is a heap with n scripts that were compiled one by one, each by a class loader of its own,
// as Groovy does. The dump was written at an OutOfMemoryError where at has a method on top of the
// stack, "" for none; limit is that of the heap.
func scripts(n int, at string, limit int64) *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	loaders := j.Class("groovy.lang.InnerLoader", j.Object)
	var all []*hproftest.Object
	for i := range n {
		script := j.Class(fmt.Sprintf("Script%d", i), j.Object).LoadedBy(j.New(loaders)).Static("CALLS", j.Bytes(make([]byte, 1200)))
		all = append(all, j.New(script))
	}
	j.Class("com.acme.Rules", j.Object).Static("COMPILED", j.Array(j.Objects, all...))
	j.Class("jdk.internal.misc.VM", j.Object).Static("directMemory", limit)
	if at != "" {
		j.NewThread(j.Thread, "http-3", hproftest.Frame{Class: j.Class("java.lang.OutOfMemoryError", j.Object), Method: "<init>"},
			hproftest.Frame{Class: j.Class("java.lang.ClassLoader", j.Object), Method: at, Line: -3})
	}
	return j
}

// TestGeneratedClasses has classes made at run time, whose names differ by numbers only.
func TestGeneratedClasses(t *testing.T) {
	const roomy, full = 1 << 30, 2_500_000
	for _, row := range []struct {
		name     string
		n        int
		at       string
		limit    int64
		severity finding.Severity
	}{
		{"a swarm", 1500, "", roomy, finding.SeverityWarning},
		{"as a program may have", 900, "", roomy, finding.SeverityInfo},
		{"Metaspace ran out", 1500, "defineClass1", roomy, finding.SeverityCritical},
		{"the heap ran out", 1500, "defineClass1", full, finding.SeverityWarning},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := detect(t, scripts(row.n, row.at, row.limit))
			f := only(t, "class-loader-leak", found)
			assert.Equal(t, row.severity, f.Severity)
			assert.Equal(t, int64(row.n), f.Objects)
			assert.Contains(t, f.Title, "class loaders made at run time for classes such as Script")
			assert.Contains(t, f.Summary, "are held by static field Rules.COMPILED")
			assert.Contains(t, f.Advice, "Compile each script")
			metaspace := row.severity == finding.SeverityCritical
			for _, g := range found {
				said := g.Kind == "class-loader-leak" || g.Kind == "big-retainer" || g.Kind == "growing-collection"
				if said && metaspace {
					assert.Contains(t, g.Summary, `OutOfMemoryError in thread "http-3" as it defined a class`, g.Title)
					assert.NotContains(t, g.Summary, "as the heap ran out", g.Title)
				}
				assert.False(t, metaspace && g.Kind == "big-retainer" && g.Severity != finding.SeverityInfo, g.Title)
			}
		})
	}
}

// TestGeneratedClassesInAMap tells one holder, though the ways to the loaders differ by the entries
// of a bucket that lie before theirs.
func TestGeneratedClassesInAMap(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	loaders := j.Class("groovy.lang.InnerLoader", j.Object)
	method := j.Class("groovy.lang.Method", j.Object, hproftest.Ref("script"))
	node := j.Class("java.util.HashMap$Node", j.Object, hproftest.Ref("key"), hproftest.Ref("value"), hproftest.Ref("next"))
	buckets := make([]*hproftest.Object, 800)
	for i := range 1500 {
		script := j.Class(fmt.Sprintf("Script%d", i), j.Object).LoadedBy(j.New(loaders)).Static("CALLS", j.Bytes(make([]byte, 1200)))
		n := j.New(node).Set("value", j.New(method).Set("script", j.New(script)))
		if next := buckets[i%len(buckets)]; next != nil {
			n.Set("next", next)
		}
		buckets[i%len(buckets)] = n
	}
	table := j.Array(j.Class("[Ljava.util.HashMap$Node;", j.Object), buckets...)
	byName := j.New(j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))).Set("table", table).Set("size", int32(1500))
	j.Class("com.acme.Rules", j.Object).Static("BY_NAME", byName)

	f := only(t, "class-loader-leak", detect(t, j))
	assert.Contains(t, f.Summary, "Of 500 looked at, 500 are held by field Method.script, from static field Rules.BY_NAME on")
	var holders []string
	for _, fact := range f.Evidence.Facts {
		if fact.Name == "held by" {
			holders = append(holders, fact.Value)
		}
	}
	assert.Len(t, holders, 1, "%q", holders)
}

// TestFewGeneratedClasses are no news: any language that is compiled at run time has some.
func TestFewGeneratedClasses(t *testing.T) {
	assert.Empty(t, byKind("class-loader-leak", detect(t, scripts(60, "", 1<<30))))
	only(t, "class-loader-leak", detect(t, scripts(120, "", 1<<30)))
}

// TestLoneLoaders has very many loaders of one class each, of the same name or of names by random letters:
// what they loaded was made at run time, it was not deployed again and again.
func TestLoneLoaders(t *testing.T) {
	for name, of := range map[string]func(i int) string{
		"proxies": func(i int) string {
			return fmt.Sprintf("com.acme.Order$ByteBuddy$%c%cxY%cz", 'A'+i%26, 'a'+i/26%26, 'A'+i/676)
		},
		"expressions": func(int) string { return "SC" },
	} {
		j := hproftest.NewJDK(17, 8)
		loaders := j.Class("com.acme.ByteArrayLoader", j.Object)
		var all []*hproftest.Object
		for i := range 1200 {
			made := j.Class(of(i), j.Object).LoadedBy(j.New(loaders)).Static("DATA", j.Bytes(make([]byte, 1200)))
			all = append(all, j.New(made))
		}
		j.Class("com.acme.Proxies", j.Object).Static("MADE", j.Array(j.Objects, all...))
		f := only(t, "class-loader-leak", detect(t, j))
		assert.Contains(t, f.Title, "1,200 class loaders made at run time for classes such as", name)
		assert.Contains(t, f.Summary, "with one class each", name)
		assert.Contains(t, f.Summary, "500 are held by static field Proxies.MADE", name)
		assert.Contains(t, f.Advice, "Compile each script", name)
		assert.Equal(t, finding.SeverityWarning, f.Severity, name)
	}
}
