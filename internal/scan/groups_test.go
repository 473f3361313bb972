package scan_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// loadersAndPackages is a random heap with classes of three loaders in three packages.
// loaderOf says which loader the classes of a name have.
func loadersAndPackages(seed uint64) (d *hproftest.Dump, loaderOf map[string]string) {
	r := rand.New(rand.NewPCG(seed, 11))
	d = hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	d.Class("java.lang.Class", object)
	text := d.Class("java.lang.String", object, hproftest.Ref("value"), hproftest.Byte("coder"))
	loader := d.Class("java.lang.ClassLoader", object, hproftest.Ref("name"))
	loaders := []*hproftest.Object{nil}
	loaderOf = map[string]string{"java.lang.Object": "boot", "java.lang.String": "boot", "java.lang.ClassLoader": "boot", "byte[]": "boot", "java.lang.Class": "boot"}
	for _, name := range []string{"app", "plugin"} {
		value := d.New(text).Set("value", d.Bytes([]byte(name)))
		loaders = append(loaders, d.New(d.Class("com.acme."+name+".Loader", loader)).Set("name", value))
		loaderOf["com.acme."+name+".Loader"] = "boot"
	}
	var nodes []*hproftest.Object
	for i, l := range loaders {
		for k := range 3 {
			name := fmt.Sprintf("org.p%d.Node%d", k, i)
			class := d.Class(name, object, hproftest.Ref("a"), hproftest.Ref("b"))
			loaderOf[name] = "boot"
			if l != nil {
				class.LoadedBy(l)
				loaderOf[name] = fmt.Sprintf("%#x", l.ID)
			}
			for range 1 + r.IntN(8) {
				nodes = append(nodes, d.New(class))
			}
		}
	}
	pick := func() *hproftest.Object { return nodes[r.IntN(len(nodes))] }
	for _, n := range nodes {
		n.Set("a", pick())
		if r.IntN(3) == 0 {
			n.Set("b", pick())
		}
	}
	for range 1 + r.IntN(4) {
		d.Root(hprof.SubRootJNIGlobal, pick())
	}
	d.StickyClasses()
	return d, loaderOf
}

// TestGroups compares what loaders and packages retain with the sum over the objects
// that no other one of their group dominates, from the export.
func TestGroups(t *testing.T) {
	for seed := range uint64(60) {
		d, loaderOf := loadersAndPackages(seed)
		path := d.WriteFile(t, hproftest.Shape{})
		r := file(t, path)
		type object struct {
			class, idom string
			retained    int64
		}
		objects := map[string]object{}
		for _, row := range export(t, path, scan.Options{}) {
			cells := strings.Split(row, "\t")
			retained, err := strconv.ParseInt(cells[3], 10, 64)
			require.NoError(t, err)
			objects[cells[0]] = object{cells[1], cells[4], retained}
		}
		sums := func(group func(class string) string) map[string]int64 {
			sums := map[string]int64{}
			for _, o := range objects {
				topmost := true
				for at := o.idom; at != "-"; at = objects[at].idom {
					topmost = topmost && group(objects[at].class) != group(o.class)
				}
				if topmost {
					sums[group(o.class)] += o.retained
				}
			}
			return sums
		}
		byLoader := sums(func(class string) string { return loaderOf[class] })
		byPackage := sums(func(class string) string { return report.PackageOf(class, class == "byte[]") })
		var instances, shallow int64
		for _, l := range r.Loaders {
			assert.Equal(t, byLoader[l.Loader], l.RetainedBytes, "seed %d, loader %s", seed, l.Loader)
			if l.LoaderRetainedBytes != nil {
				assert.Equal(t, objects[l.Loader].retained, *l.LoaderRetainedBytes)
				assert.Equal(t, "com.acme."+l.Name+".Loader", l.Class)
			}
			instances, shallow = instances+l.Instances, shallow+l.ShallowBytes
		}
		assert.Equal(t, r.Heap.Objects, instances)
		assert.Equal(t, r.Heap.ShallowBytes, shallow)
		assert.Equal(t, r.Heap.Loaders, int64(len(r.Loaders)))
		instances, shallow = 0, 0
		for _, p := range r.Packages {
			assert.Equal(t, byPackage[p.Package], p.RetainedBytes, "seed %d, package %s", seed, p.Package)
			instances, shallow = instances+p.Instances, shallow+p.ShallowBytes
		}
		assert.Equal(t, r.Heap.Objects, instances)
		assert.Equal(t, r.Heap.ShallowBytes, shallow)
	}
}
