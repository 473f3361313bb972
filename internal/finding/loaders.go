package finding

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// loaderLeaks finds class loaders that outlive their application: those that say that
// they are stopped or closed and are still held, and the same code loaded many times.
type loaderLeaks struct{}

const (
	// maxLoaders bounds the loaders that are looked at, and maxCompared the families with whose
	// code that of each is compared: those of most classes.
	maxLoaders  = 1 << 20
	maxCompared = 1000
	// manyLoaders is how many loaders of the same code are worth a finding without
	// one of them being stopped, and swarm how many are an alarm; of generated code more, as a
	// program may have many scripts.
	manyLoaders    = 5
	swarm          = 100
	generatedSwarm = 1000
	// maxLoaderPaths bounds the ways to leaked loaders that are looked at, and maxHolders
	// those that are told.
	maxLoaderPaths = 500
	maxHolders     = 20
	// sameShare is the percentage of the classes of the smaller of two loaders that the
	// other must have, too, for them to be of the same code.
	sameShare = 50
	// leastShare is how much of the bigger one's number of classes the smaller one has at least, in
	// percent: a server may load some of its own into each application, as TomEE does those of MyFaces.
	leastShare = 10
)

// loader is a class loader of the application's.
type loader struct {
	object heap.ObjID
	class  string
	// classes are the names of the classes that it defined, sorted; patterns the same without
	// their numbers, sorted, each once.
	classes, patterns []string
	// stopped says that it was stopped or closed, by its own state.
	stopped bool
	// mirrors are the class objects.
	mirrors []heap.ObjID
}

// family are loaders of the same class that loaded the same code.
type family struct {
	all, stopped []*loader
	// generated says that the names of the classes differ by numbers, as those of compiled scripts and
	// templates do.
	generated bool
	// lone says that they are very many, each with one class: whatever those are called, as proxies by random
	// letters, they were made at run time.
	lone bool
	// inMemory says that the loaders have the class files of their code themselves: it was compiled at run time.
	inMemory bool
	// forgotten are those that only the code that they loaded holds yet; looked for where none
	// is known to be stopped.
	forgotten []*loader
}

// Detect implements Detector.
func (loaderLeaks) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	p := h.pressure()
	made, err := h.appendMadeClasses(nil, p)
	loaders := h.loaders()
	if len(loaders) == 0 || err != nil {
		return made, err
	}
	if err := h.readStopped(ctx, loaders); err != nil {
		return nil, err
	}
	if err := h.dropSoft(ctx, loaders); err != nil {
		return nil, err
	}
	var found []Finding
	for i, f := range families(loaders) {
		if i < maxAnchorFamilies {
			if err := h.lookForForgotten(ctx, f, p); err != nil {
				return nil, err
			}
		}
		if len(f.stopped) == 0 && len(f.all) < manyLoaders && !f.left() {
			continue
		}
		var held, code []heap.ObjID
		for _, l := range f.leaked() {
			held = append(held, l.object)
			code = append(append(code, l.object), l.mirrors...)
		}
		bytes, err := h.retainedTogether(slices.Values(code))
		if err != nil {
			return nil, err
		}
		if !f.generated && len(f.stopped) == 0 && !f.left() {
			if f.inMemory, err = h.hasClassFiles(ctx, f.all[0]); err != nil {
				return nil, err
			}
			f.generated = f.inMemory
		}
		if f.generated && len(f.stopped) == 0 && len(f.all) < swarm && bytes < suspectBytes {
			continue // any language that is compiled at run time has some
		}
		paths, err := h.loaderPaths(ctx, held)
		if err != nil {
			return nil, err
		}
		found = append(found, h.loaderFinding(f, bytes, p, paths))
		if len(found) == maxSuspects {
			break
		}
	}
	return append(found, made...), nil
}

// loaderPaths returns the ways to the loaders: those that pass no SoftReference, as caches of the
// JDK's are full of, and only where there are none of these the others. Errors: that of ctx; no
// memory.
func (h *Heap) loaderPaths(ctx context.Context, held []heap.ObjID) ([]Path, error) {
	tracks, err := h.tracksTo(ctx, held)
	if err != nil {
		return nil, err
	}
	paths, err := h.pathsAlong(ctx, tracks, held, maxLoaderPaths)
	if err != nil || !slices.ContainsFunc(paths, h.passesSoft) {
		return paths, err
	}
	around, err := h.pathsAroundSoft(ctx, held, maxLoaderPaths)
	if len(around) == 0 {
		around = paths
	}
	return around, err
}

// joinPaths joins the ways that pass classes of the same names, but for numbers as generated
// classes have: each loader has classes of its own.
func joinPaths(paths []Path) []Path {
	var joined []Path
	for _, p := range paths {
		i := slices.IndexFunc(joined, func(q Path) bool {
			return q.Root == p.Root && slices.EqualFunc(q.Steps, p.Steps, func(a, b Step) bool {
				return namePattern(stableClass(a.Class)) == namePattern(stableClass(b.Class)) && a.Field == b.Field
			})
		})
		if i < 0 {
			joined = append(joined, p)
			continue
		}
		joined[i].Objects += p.Objects
		joined[i].Bytes += p.Bytes
		for k := range joined[i].Steps {
			if joined[i].Steps[k].Object != p.Steps[k].Object {
				joined[i].Steps[k].Object = ""
			}
		}
	}
	slices.SortStableFunc(joined, func(a, b Path) int { return cmp.Compare(b.Objects, a.Objects) })
	return joined
}

// left says whether no host holds any of the loaders, or but one: the running one.
func (f *family) left() bool { return len(f.all) >= fewLoaders && len(f.forgotten) >= len(f.all)-1 }

// leaked are the loaders that should be gone: the stopped ones, or, where none says so, those
// that no host holds, or else all.
func (f *family) leaked() []*loader {
	switch {
	case len(f.stopped) > 0:
		return f.stopped
	case f.left():
		return f.forgotten
	}
	return f.all
}

// loaders returns the reachable class loaders that defined classes, without those of
// the JDK, those of most classes first.
func (h *Heap) loaders() []*loader {
	byAddress := map[uint64]*loader{}
	for i := range h.Classes {
		c := &h.Classes[i]
		if c.Loader == 0 || c.Object == 0 || strings.HasSuffix(c.Name, "[]") || strings.Contains(c.Name, "$$") || strings.Contains(c.Name, ".0x") {
			continue
		}
		l := byAddress[c.Loader]
		if l == nil {
			l = &loader{object: h.Object(c.Loader)}
			byAddress[c.Loader] = l
		}
		l.classes = append(l.classes, c.Name)
		l.mirrors = append(l.mirrors, c.Object)
	}
	var all []*loader
	for _, l := range byAddress {
		if l.object == 0 || !h.reachable(l.object) {
			continue
		}
		if l.class = h.Class(l.object).Name; builtinLoader(l.class) {
			continue
		}
		slices.Sort(l.classes)
		for _, name := range l.classes {
			l.patterns = append(l.patterns, namePattern(name))
		}
		slices.Sort(l.patterns)
		l.patterns = slices.Compact(l.patterns)
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *loader) int {
		return cmp.Or(cmp.Compare(len(b.classes), len(a.classes)), cmp.Compare(a.object, b.object))
	})
	return all[:min(len(all), maxLoaders)]
}

// builtinLoader says whether loaders of this class are the JVM's own: those that live as
// long as it, and those of generated accessors.
func builtinLoader(class string) bool {
	for _, prefix := range []string{"jdk.internal.", "sun.misc.Launcher$", "sun.reflect.", "java.net.FactoryURLClassLoader"} {
		if strings.HasPrefix(class, prefix) {
			return true
		}
	}
	return false
}

// readStopped asks the loaders for their state.
//
// Sources: org.apache.catalina.loader.WebappClassLoaderBase: "state", a LifecycleState,
// from Tomcat 8 on, "started" before. java.net.URLClassLoader: close() sets "closed" of
// its URLClassPath.
func (h *Heap) readStopped(ctx context.Context, loaders []*loader) error {
	var objects []heap.ObjID
	for _, l := range loaders {
		objects = append(objects, l.object)
	}
	states, paths := map[heap.ObjID]heap.ObjID{}, map[heap.ObjID]heap.ObjID{} // by loader
	stopped := map[heap.ObjID]bool{}
	err := h.Read(ctx, objects, func(c heap.Content) {
		web := h.IsSubclass(c.Class, webappLoader) || h.IsSubclass(c.Class, oldWebappLoader)
		if v, _, ok := h.Field(c, heap.FieldName{Field: "state"}); ok && web {
			states[c.Object] = h.Object(v)
		} else if v, _, ok := h.Field(c, heap.FieldName{Field: "started"}); ok && web {
			stopped[c.Object] = v == 0
		}
		if v, _, ok := h.Field(c, heap.FieldName{Class: "java.net.URLClassLoader", Field: "ucp"}); ok {
			paths[c.Object] = h.Object(v)
		}
	})
	if err != nil {
		return err
	}
	names, err := h.enumNames(ctx, states)
	if err != nil {
		return err
	}
	closed := map[heap.ObjID]bool{} // by class path
	err = h.Read(ctx, values(paths), func(c heap.Content) {
		v, _, ok := h.Field(c, heap.FieldName{Field: "closed"})
		closed[c.Object] = ok && v != 0
	})
	for _, l := range loaders {
		switch names[states[l.object]] {
		case "STOPPING", "STOPPED", "DESTROYING", "DESTROYED", "FAILED":
			l.stopped = true
		}
		l.stopped = l.stopped || stopped[l.object] || closed[paths[l.object]]
	}
	return err
}

const (
	webappLoader    = "org.apache.catalina.loader.WebappClassLoaderBase"
	oldWebappLoader = "org.apache.catalina.loader.WebappClassLoader"
)

// values returns the values of a map.
func values(m map[heap.ObjID]heap.ObjID) []heap.ObjID {
	var all []heap.ObjID
	for _, v := range m {
		if v != 0 {
			all = append(all, v)
		}
	}
	return all
}

// enumNames reads the names of the enum constants that a map leads to.
func (h *Heap) enumNames(ctx context.Context, constants map[heap.ObjID]heap.ObjID) (map[heap.ObjID]string, error) {
	strings := map[heap.ObjID]heap.ObjID{} // by constant
	err := h.Read(ctx, values(constants), func(c heap.Content) {
		if v, _, ok := h.Field(c, heap.FieldName{Class: "java.lang.Enum", Field: "name"}); ok {
			strings[c.Object] = h.Object(v)
		}
	})
	if err != nil {
		return nil, err
	}
	text, err := h.Strings(ctx, values(strings))
	names := map[heap.ObjID]string{}
	for constant, name := range strings {
		names[constant] = text[name]
	}
	return names, err
}

// enumsOf reads the names of the enum constants in a column of a table, by constant. Errors: that of ctx.
func (h *Heap) enumsOf(ctx context.Context, table *heap.Table, column int) (map[heap.ObjID]string, error) {
	constants := map[heap.ObjID]heap.ObjID{}
	for row := range table.Len() {
		constant := table.Ref(row, column)
		constants[constant] = constant
	}
	return h.enumNames(ctx, constants)
}

// dropSoft takes stopped loaders that only SoftReferences hold for running ones: a
// collection short of memory lets go of them.
func (h *Heap) dropSoft(ctx context.Context, loaders []*loader) error {
	if !slices.ContainsFunc(loaders, func(l *loader) bool { return l.stopped }) {
		return nil
	}
	soft := make([]bool, len(h.Classes))
	for i := range h.Classes {
		soft[i] = h.IsSubclass(heap.ClassID(i), "java.lang.ref.SoftReference")
	}
	barred := h.NewSet()
	for o := heap.ObjID(1); int(o) <= h.Objects(); o++ {
		if soft[h.ClassOf(o)] {
			barred.Add(o)
		}
	}
	alive, err := h.ReachableWithout(ctx, barred)
	if err != nil {
		return err
	}
	for _, l := range loaders {
		l.stopped = l.stopped && alive.Has(l.object)
	}
	return nil
}

// families groups loaders of the same class by the code that they loaded, numbers in names left
// out; very many with one class each are one family. Those of most classes come first and stand for their family.
func families(loaders []*loader) []*family {
	var all []*family
	lone := map[string]int{} // loaders with one class, by their own
	for _, l := range loaders {
		if len(l.classes) == 1 {
			lone[l.class]++
		}
	}
	known := map[string]*family{} // by all that is compared
	for _, l := range loaders {
		key, one := l.class+"\x00"+strings.Join(l.patterns, "\x00"), len(l.classes) == 1 && lone[l.class] >= generatedSwarm
		if one {
			key = l.class
		}
		f := known[key]
		switch {
		case f == nil && one:
			f = &family{generated: true, lone: true}
			all = append(all, f)
			known[key] = f
		case f == nil:
			i := slices.IndexFunc(all[:min(len(all), maxCompared)], func(f *family) bool {
				first := f.all[0]
				return first.class == l.class && same(first.patterns, l.patterns) && len(l.patterns)*100 >= len(first.patterns)*leastShare
			})
			if i < 0 {
				i = len(all)
				all = append(all, &family{})
			}
			f = all[i]
			known[key] = f
		}
		f.all = append(f.all, l)
		f.generated = f.generated || !same(f.all[0].classes, l.classes)
		if l.stopped {
			f.stopped = append(f.stopped, l)
		}
	}
	slices.SortStableFunc(all, func(a, b *family) int {
		return cmp.Or(cmp.Compare(len(b.stopped), len(a.stopped)), cmp.Compare(len(b.all), len(a.all)))
	})
	return all
}

// same says whether two sorted lists of classes are those of the same code.
func same(bigger, smaller []string) bool {
	shared, i := 0, 0
	for _, name := range smaller {
		for i < len(bigger) && bigger[i] < name {
			i++
		}
		if i < len(bigger) && bigger[i] == name {
			shared++
		}
	}
	return shared*100 >= len(smaller)*sameShare
}
