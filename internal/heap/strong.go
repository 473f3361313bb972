package heap

import (
	"context"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// strongRules make the graph of EdgesStrong.
type strongRules struct{ *builder }

func (b strongRules) layout(ctx context.Context) (Layout, error) {
	return inferLayout(ctx, b.file, b.extents)
}

func (strongRules) nameless(address uint64, _ bool) string { return namelessClass(address) }

func (strongRules) invent(*tally) {}

func (b strongRules) root(r root) {
	if id := b.index.id(r.address); id != 0 {
		b.Roots.add(Root{Object: id, Kind: r.kind, Thread: r.thread, Frame: r.frame})
	}
}

// moreRoots makes roots of the classes that the JVM never unloads: those
// of the loaders for the platform and the application, and those of the boot loader
// where the dump lists none, as dumps of old JVMs do.
//
// Source: ClassLoaderData::is_permanent_class_loader_data (classLoaderData.cpp).
func (b strongRules) moreRoots(ctx context.Context) error {
	permanent, err := b.permanentLoaders(ctx)
	if err != nil {
		return err
	}
	_, listsClasses := b.Roots.First(func(r Root) bool { return r.Kind == hprof.SubRootStickyClass })
	permanent[0] = !listsClasses
	for i := range b.Classes {
		if c := &b.Classes[i]; c.Object != 0 && permanent[c.Loader] && (c.array == 0 || c.Loader != 0) {
			b.Roots.add(Root{Object: c.Object, Kind: hprof.SubRootStickyClass, Frame: -1})
		}
	}
	return nil
}

// permanentLoaders returns the addresses of the loaders that live as long as the JVM: the one of the
// program, which may be its own, and those that the JDK has. Static fields of JDK 9 and later tell them;
// where there are none, what loaders there are is read. Errors: that of ctx.
//
// Source: SystemDictionary::is_system_class_loader, is_platform_class_loader (systemDictionary.cpp).
func (b strongRules) permanentLoaders(ctx context.Context) (map[uint64]bool, error) {
	permanent := map[uint64]bool{}
	if program, ok := b.Static("java.lang.ClassLoader", "scl"); ok {
		permanent[program] = true
	}
	app, _ := b.Static("jdk.internal.loader.ClassLoaders", "APP_LOADER")
	platform, _ := b.Static("jdk.internal.loader.ClassLoaders", "PLATFORM_LOADER")
	if app != 0 && platform != 0 {
		permanent[app], permanent[platform] = true, true
		return permanent, nil
	}
	loaders := map[ObjID]bool{}
	for i := range b.Classes {
		loaders[b.index.id(b.Classes[i].Loader)] = true
	}
	delete(loaders, 0)
	err := b.Read(ctx, slices.Collect(maps.Keys(loaders)), func(c Content) {
		if c.Class != NoClass && builtinLoader(b.Classes[c.Class].Name) {
			permanent[b.Address(c.Object)] = true
		}
	})
	return permanent, err
}

// builtinLoader says whether loaders of this class live as long as the JVM: the
// names of JDK 9 and later, then those of JDK 8 and before.
func builtinLoader(class string) bool {
	switch class {
	case "jdk.internal.loader.ClassLoaders$AppClassLoader", "jdk.internal.loader.ClassLoaders$PlatformClassLoader",
		"sun.misc.Launcher$AppClassLoader", "sun.misc.Launcher$ExtClassLoader":
		return true
	}
	return false
}

// holds leaves out the referents that a collection clears or hands to finalization.
func (b strongRules) holds(c ClassID, f DeclaredField) bool {
	return !f.isReferent() || !b.weak(c)
}

// weak says whether the referent of an instance of c is no edge.
func (b strongRules) weak(c ClassID) bool {
	return b.IsSubclass(c, referenceClass) && !b.IsSubclass(c, "java.lang.ref.SoftReference")
}

// arraysHoldClass is false: the classes of primitive arrays are never unloaded.
func (strongRules) arraysHoldClass() bool { return false }

// mirrorBytes returns the shallow size of the class object of c: an instance of
// java.lang.Class with c's static fields behind it (HotSpot's InstanceMirrorKlass).
func (b strongRules) mirrorBytes(c *Class) int64 {
	size := int64(b.Layout.HeaderBytes)
	if m := b.classClass(); m != NoClass {
		size = b.Classes[m].instance
	}
	for _, s := range c.Statics {
		if s.Type == hprof.TypeObject {
			size += int64(b.Layout.RefBytes)
		} else {
			size += int64(s.Type.Width(0))
		}
	}
	return alignUp(size, int64(b.Layout.Align))
}

// mirrorRefs are the superclass, the loader, signers, protection domain and the
// static fields.
func (b strongRules) mirrorRefs(c *Class) []uint64 {
	return c.appendStatics([]uint64{b.superAddress(c), c.Loader, c.others[0], c.others[1]})
}
