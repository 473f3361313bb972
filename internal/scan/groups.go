package scan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

const (
	// maxLoaders and maxPackages bound the loaders and packages of a report.
	maxLoaders  = 100
	maxPackages = 200
)

// groups are the classes of a dump by loader and by package.
type groups struct {
	loaders  []report.LoaderRow
	objects  []heap.ObjID // of the loaders, 0 where there is none
	packages []report.PackageRow
	// loaderOf and packageOf are the places in loaders and packages, by ClassID.
	loaderOf, packageOf []uint32
}

// groupClasses groups all classes and adds up their instances.
func groupClasses(g *heap.Graph) *groups {
	s := &groups{loaderOf: make([]uint32, len(g.Classes)), packageOf: make([]uint32, len(g.Classes))}
	loaders, packages := map[uint64]uint32{}, map[string]uint32{}
	for i := range g.Classes {
		c := &g.Classes[i]
		l, ok := loaders[c.Loader]
		if !ok {
			l = uint32(len(s.loaders))
			loaders[c.Loader] = l
			s.addLoader(g, c.Loader)
		}
		name := report.PackageOf(c.Name, primitive(c.Name))
		p, ok := packages[name]
		if !ok {
			p = uint32(len(s.packages))
			packages[name] = p
			s.packages = append(s.packages, report.PackageRow{Package: name})
		}
		s.loaderOf[i], s.packageOf[i] = l, p
		loader, pack := &s.loaders[l], &s.packages[p]
		if c.Object != 0 {
			loader.Classes++
			pack.Classes++
		}
		loader.Instances += c.Instances
		pack.Instances += c.Instances
		loader.ShallowBytes += c.ShallowBytes
		pack.ShallowBytes += c.ShallowBytes
	}
	return s
}

// addLoader adds the loader at an address, 0 for the boot loader.
func (s *groups) addLoader(g *heap.Graph, address uint64) {
	row := report.LoaderRow{Loader: "boot"}
	var object heap.ObjID
	if address != 0 {
		row.Loader = fmt.Sprintf("%#x", address)
		if object = g.Object(address); object != 0 {
			row.Class = g.Class(object).Name
		}
	}
	s.loaders, s.objects = append(s.loaders, row), append(s.objects, object)
}

// primitive tells arrays of primitives, and arrays of such arrays.
func primitive(class string) bool {
	switch strings.TrimRight(class, "[]") {
	case "boolean", "char", "float", "double", "byte", "short", "int", "long":
		return strings.HasSuffix(class, "[]")
	}
	return false
}

// addGroups adds the loaders and the packages with what they retain: byLoader and
// byPackage, by the groups of s. Errors: that of ctx.
func (d *dump) addGroups(ctx context.Context, s *groups, byLoader, byPackage []uint64) error {
	names, err := loaderNames(ctx, d.graph, s.objects)
	if err != nil {
		return err
	}
	for i := range s.loaders {
		row, o := &s.loaders[i], s.objects[i]
		row.RetainedBytes, row.Name = int64(byLoader[i]), names[o]
		if o != 0 {
			row.LoaderRetainedBytes = new(int64(d.tree.Retained(uint32(o))))
		}
	}
	for i := range s.packages {
		s.packages[i].RetainedBytes = int64(byPackage[i])
	}
	loaders := slices.DeleteFunc(s.loaders, func(l report.LoaderRow) bool { return l.Classes == 0 && l.Instances == 0 })
	slices.SortFunc(loaders, func(a, b report.LoaderRow) int {
		return cmp.Or(cmp.Compare(b.RetainedBytes, a.RetainedBytes), cmp.Compare(b.ShallowBytes, a.ShallowBytes), cmp.Compare(a.Loader, b.Loader))
	})
	packages := slices.DeleteFunc(s.packages, func(p report.PackageRow) bool { return p.Instances == 0 })
	slices.SortFunc(packages, func(a, b report.PackageRow) int {
		return cmp.Or(cmp.Compare(b.RetainedBytes, a.RetainedBytes), cmp.Compare(b.ShallowBytes, a.ShallowBytes), cmp.Compare(a.Package, b.Package))
	})
	r := d.report
	r.Limits.LoaderRows, r.Limits.LoadersOmitted = maxLoaders, int64(max(0, len(loaders)-maxLoaders))
	r.Limits.PackageRows, r.Limits.PackagesOmitted = maxPackages, int64(max(0, len(packages)-maxPackages))
	r.Loaders, r.Packages = loaders[:min(len(loaders), maxLoaders)], packages[:min(len(packages), maxPackages)]
	return nil
}

// loaderNames reads the names of class loaders, as far as they have one.
//
// Source: the field name of java.lang.ClassLoader, since JDK 9.
func loaderNames(ctx context.Context, g *heap.Graph, loaders []heap.ObjID) (map[heap.ObjID]string, error) {
	loaders = slices.DeleteFunc(slices.Clone(loaders), func(o heap.ObjID) bool { return o == 0 })
	strings := map[heap.ObjID]heap.ObjID{} // by loader
	err := g.Read(ctx, loaders, func(c heap.Content) {
		value, t, ok := g.Field(c, heap.FieldName{Class: "java.lang.ClassLoader", Field: "name"})
		if name := g.Object(value); ok && t == hprof.TypeObject && name != 0 {
			strings[c.Object] = name
		}
	})
	if err != nil {
		return nil, err
	}
	text, err := g.Strings(ctx, slices.Collect(maps.Values(strings)))
	names := map[heap.ObjID]string{}
	for loader, name := range strings {
		names[loader] = text[name]
	}
	return names, err
}
