package heap

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestPermanentLoaders looks at whose classes are GC roots: those of the loaders that the JVM never lets go
// of, be they told by static fields, as since JDK 9, or by their classes alone, and of the program's own one.
func TestPermanentLoaders(t *testing.T) {
	const (
		app      = "jdk.internal.loader.ClassLoaders$AppClassLoader"
		platform = "jdk.internal.loader.ClassLoaders$PlatformClassLoader"
		old      = "sun.misc.Launcher$AppClassLoader"
		custom   = "com.acme.SystemLoader"
		web      = "org.apache.catalina.loader.ParallelWebappClassLoader"
	)
	loaders := []string{app, platform, old, custom, web}
	for name, test := range map[string]struct {
		classLoaders, system bool
		permanent            []string
	}{
		"by class":        {permanent: []string{app, platform, old}},
		"by field":        {classLoaders: true, permanent: []string{app, platform}},
		"the program's":   {classLoaders: true, system: true, permanent: []string{app, platform, custom}},
		"of an older JVM": {system: true, permanent: []string{app, platform, old, custom}},
	} {
		t.Run(name, func(t *testing.T) {
			j := hproftest.NewJDK(17, 8)
			of := map[string]*hproftest.Object{}
			for _, l := range loaders {
				of[l] = j.New(j.Class(l, j.Object))
				j.Class("code of "+l, j.Object).LoadedBy(of[l])
			}
			if test.classLoaders {
				j.Class("jdk.internal.loader.ClassLoaders", j.Object).Static("APP_LOADER", of[app]).Static("PLATFORM_LOADER", of[platform])
			}
			if test.system {
				j.Class("java.lang.ClassLoader", j.Object).Static("scl", of[custom])
			}
			f, err := hprof.Open(t.Context(), j.Finish().WriteFile(t, hproftest.Shape{}), nil)
			require.NoError(t, err)
			defer func() { assert.NoError(t, f.Close()) }()
			g, err := Build(t.Context(), f, Options{})
			require.NoError(t, err)
			defer g.Close()
			var permanent []string
			for _, l := range loaders {
				code := g.Classes[g.ClassesNamed("code of " + l)[0]].Object
				if _, root := g.Roots.First(func(r Root) bool { return r.Object == code }); root {
					permanent = append(permanent, l)
				}
			}
			assert.Equal(t, test.permanent, permanent)
		})
	}
}

// TestClassesOfOldDumps has no class among the GC roots, as dumps of old JVMs: those of the boot loader are
// roots all the same, but for arrays.
func TestClassesOfOldDumps(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	dump := j.Finish()
	dump.DropRoots()
	f, err := hprof.Open(t.Context(), dump.WriteFile(t, hproftest.Shape{}), nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	g, err := Build(t.Context(), f, Options{})
	require.NoError(t, err)
	defer g.Close()
	for name, want := range map[string]bool{"java.lang.Object": true, "java.lang.Object[]": false} {
		class := g.Classes[g.ClassesNamed(name)[0]].Object
		_, root := g.Roots.First(func(r Root) bool { return r.Object == class })
		assert.Equal(t, want, root, name)
	}
}
