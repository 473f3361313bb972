package finding_test

import (
	"context"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// detect returns the findings of a heap, each within the bounds of a verdict.
func detect(t *testing.T, j *hproftest.JDK) []finding.Finding {
	t.Helper()
	found, err := finding.Detect(context.Background(), analyse(t, j.Finish()))
	require.NoError(t, err)
	for _, f := range found {
		assert.LessOrEqual(t, utf8.RuneCountInString(f.Title+f.Summary), 600)
		assert.NotEmpty(t, f.Fingerprint)
		assert.NotEmpty(t, f.Advice)
		assert.NotEmpty(t, f.Evidence.Refutes)
	}
	return found
}

// only returns the finding of a kind.
func only(t *testing.T, kind string, found []finding.Finding) finding.Finding {
	t.Helper()
	var chosen []finding.Finding
	var kinds []string
	for _, f := range found {
		if f.Kind == kind {
			chosen = append(chosen, f)
		}
		kinds = append(kinds, f.Kind+": "+f.Title)
	}
	require.Len(t, chosen, 1, "%s among %q", kind, kinds)
	return chosen[0]
}

// hashMap adds a java.util.HashMap of n values of 2 KiB each.
func hashMap(j *hproftest.JDK, value *hproftest.Class, n int) *hproftest.Object {
	node := j.Class("java.util.HashMap$Node", j.Object, hproftest.Int("hash"), hproftest.Ref("key"), hproftest.Ref("value"), hproftest.Ref("next"))
	nodes := j.Class("[Ljava.util.HashMap$Node;", j.Object)
	class := j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))
	slots := make([]*hproftest.Object, 2*n)
	for i := range n {
		v := j.New(value).Set("data", j.Bytes(make([]byte, 2048)))
		slots[2*i] = j.New(node).Set("key", j.String("key")).Set("value", v)
	}
	return j.New(class).Set("table", j.Array(nodes, slots...)).Set("size", int32(n))
}

// registry is a heap with a map in a static field.
func registry() *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	session := j.Class("com.acme.Session", j.Object, hproftest.Ref("data"))
	j.Class("com.acme.Registry", j.Object).Static("SESSIONS", hashMap(j, session, 2000))
	return j
}

// TestAMapThatManyFill counts its elements in cells from the first time on that two threads met.
func TestAMapThatManyFill(t *testing.T) {
	build := func(base int64, cells ...int64) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		const name = "java.util.concurrent.ConcurrentHashMap"
		session := j.Class("com.acme.Session", j.Object, hproftest.Ref("data"))
		node := j.Class(name+"$Node", j.Object, hproftest.Int("hash"), hproftest.Ref("key"), hproftest.Ref("val"), hproftest.Ref("next"))
		cell := j.Class(name+"$CounterCell", j.Object, hproftest.Long("value"))
		class := j.Class(name, j.Object, hproftest.Ref("table"), hproftest.Ref("counterCells"), hproftest.Long("baseCount"))
		slots := make([]*hproftest.Object, 4000)
		for i := range 2000 {
			slots[2*i] = j.New(node).Set("key", j.String("key")).Set("val", j.New(session).Set("data", j.Bytes(make([]byte, 2048))))
		}
		counters := make([]*hproftest.Object, 8)
		for i, n := range cells {
			counters[i] = j.New(cell).Set("value", n)
		}
		m := j.New(class).Set("baseCount", base).Set("table", j.Array(j.Class("[L"+name+"$Node;", j.Object), slots...)).
			Set("counterCells", j.Array(j.Class("[L"+name+"$CounterCell;", j.Object), counters...))
		j.Class("com.acme.Registry", j.Object).Static("SESSIONS", m)
		return detect(t, j)
	}
	for name, found := range map[string][]finding.Finding{
		"early":      build(17, 900, 1083),
		"and shrank": build(3000, -600, -400),
	} {
		f := only(t, "growing-collection", found)
		assert.Contains(t, f.Title, "ConcurrentHashMap with 2,000 elements of com.acme.Session", name)
	}
	for _, f := range build(3000, -2990) {
		assert.NotEqual(t, "growing-collection", f.Kind, "it has ten elements, as far as it knows")
	}
}

func TestGrowingCollection(t *testing.T) {
	f := only(t, "growing-collection", detect(t, registry()))
	assert.Equal(t, finding.SeverityInfo, f.Severity, "a cache looks the same")
	assert.Equal(t, "com.acme.Registry", f.Culprit.Class)
	assert.Equal(t, "SESSIONS", f.Culprit.Field)
	assert.Equal(t, int64(2000), f.Objects)
	assert.Greater(t, f.Bytes, int64(2000*2048))
	assert.Contains(t, f.Title, "HashMap with 2,000 elements of com.acme.Session")
	assert.Contains(t, f.Summary, "static field Registry.SESSIONS")
	assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "class of the keys", Value: "java.lang.String"})
	require.NotNil(t, f.Evidence.Path)
	last := f.Evidence.Path.Steps[len(f.Evidence.Path.Steps)-1]
	assert.Equal(t, "java.util.HashMap", last.Class)
}

// TestSmallElementsOfMuch has a list of slices, each of which keeps the message that it is of.
func TestSmallElementsOfMuch(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	token := j.Class("com.acme.Token", j.Object, hproftest.Ref("slice"))
	buffer := j.Class("java.nio.HeapByteBuffer", j.Object, hproftest.Ref("hb"))
	var all []*hproftest.Object
	for range 1500 {
		all = append(all, j.New(token).Set("slice", j.New(buffer).Set("hb", j.Bytes(make([]byte, 8000)))))
	}
	list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
	j.Class("com.acme.Tokens", j.Object).Static("ALL", j.New(list).Set("elementData", j.Array(j.Objects, all...)).Set("size", int32(1500)))
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Title, "1,500 elements of com.acme.Token")
	assert.Contains(t, f.Summary, "Most of what it retains is 1,500 byte[] with 11.5 MiB.")
}

// TestFewElements has a map of a few elements that are big, and one of which all is in the array of one: the
// listeners of a PropertyChangeSupport.
func TestFewElements(t *testing.T) {
	f := func(values ...int) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		node := j.Class("java.util.HashMap$Node", j.Object, hproftest.Ref("value"))
		class := j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))
		view := j.Class("com.acme.View", j.Object, hproftest.Ref("pixels"))
		var nodes []*hproftest.Object
		for _, n := range values {
			views := make([]*hproftest.Object, n)
			for i := range views {
				views[i] = j.New(view).Set("pixels", j.Bytes(make([]byte, 2000)))
			}
			nodes = append(nodes, j.New(node).Set("value", j.Array(j.Class("[Lcom.acme.View;", j.Object), views...)))
		}
		table := j.Array(j.Class("[Ljava.util.HashMap$Node;", j.Object), nodes...)
		j.Class("com.acme.Account", j.Object).Static("VIEWS", j.New(class).Set("table", table).Set("size", int32(len(values))))
		return only(t, "big-retainer", detect(t, j))
	}
	few := f(300, 300, 300, 300)
	assert.Contains(t, few.Title, "java.util.HashMap retains")
	assert.Contains(t, few.Summary, "static field Account.VIEWS")
	assert.Contains(t, few.Advice, "Bound it: remove entries from static field Account.VIEWS")
	assert.Contains(t, f(2000, 1).Title, "com.acme.View[] of static field Account.VIEWS retains")
}

// TestFinalizableElements has a map of objects with Finalizers, behind entries of the program's own.
func TestFinalizableElements(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	cursor := j.Class("com.acme.Cursor", j.Object, hproftest.Ref("rows"))
	entry := j.Class("com.acme.Entry", j.Object, hproftest.Ref("data"))
	var all []*hproftest.Object
	for range 2000 {
		c := j.New(cursor).Set("rows", j.Bytes(make([]byte, 900)))
		j.Finalizer(c, hproftest.Registered)
		all = append(all, j.New(entry).Set("data", c))
	}
	list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
	j.Class("com.acme.Registry", j.Object).Static("OPEN", j.New(list).Set("elementData", j.Array(j.Objects, all...)).Set("size", int32(2000)))
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Title, "2,000 elements of com.acme.Entry")
	assert.Contains(t, f.Summary, "Its elements keep 2,000 com.acme.Cursor. Those of Cursor have Finalizers, registered and not pending")
}

// TestOutOfMemory has the frame that HotSpot adds to the thread that failed.
func TestOutOfMemory(t *testing.T) {
	j := registry()
	oome := j.Class("java.lang.OutOfMemoryError", j.Object)
	j.NewThread(j.Thread, "http-nio-8080-exec-7",
		hproftest.Frame{Class: oome, Method: "<init>"}, hproftest.Frame{Class: j.Object, Method: "put"})
	f := only(t, "growing-collection", detect(t, j))
	assert.Equal(t, finding.SeverityCritical, f.Severity)
	assert.Contains(t, f.Summary, `OutOfMemoryError in thread "http-nio-8080-exec-7"`)
}

// TestFullHeap has a live heap near its limit, and one far from it.
func TestFullHeap(t *testing.T) {
	for limit, want := range map[int64]finding.Severity{64 << 20: finding.SeverityInfo, 1 << 30: finding.SeverityInfo, 3_200_000: finding.SeverityWarning} {
		j := hproftest.NewJDK(17, 8)
		var blocks []*hproftest.Object
		for range 300 {
			blocks = append(blocks, j.Bytes(make([]byte, 10_000)))
		}
		j.Class("com.acme.Buffers", j.Object).Static("ALL", j.Array(j.Objects, blocks...))
		j.Class("jdk.internal.misc.VM", j.Object).Static("directMemory", limit)
		f := only(t, "big-retainer", detect(t, j))
		assert.Equal(t, want, f.Severity)
		assert.Equal(t, "com.acme.Buffers", f.Culprit.Class)
		assert.Equal(t, "ALL", f.Culprit.Field)
		assert.Contains(t, f.Summary, "300 byte[]")
	}
}

// TestBigRetainerChain has a linked list of the program's own.
func TestBigRetainerChain(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Event", j.Object, hproftest.Ref("next"), hproftest.Ref("data"))
	var head *hproftest.Object
	for range 3000 {
		head = j.New(node).Set("next", head).Set("data", j.Bytes(make([]byte, 1000)))
	}
	log := j.Class("com.acme.Log", j.Object, hproftest.Ref("first"))
	j.NewThread(j.Class("com.acme.Writer", j.Thread, hproftest.Ref("log")), "writer").Set("log", j.New(log).Set("first", head))
	f := only(t, "big-retainer", detect(t, j))
	assert.Equal(t, "com.acme.Log", f.Culprit.Class)
	assert.Equal(t, "first", f.Culprit.Field)
	assert.Equal(t, "writer", f.Culprit.Thread)
	assert.Contains(t, f.Title, "com.acme.Event")
	assert.Contains(t, f.Summary, "3,000 objects, each refers to another by its field next.")
}

// TestBigGroup has objects that two holders share.
func TestBigGroup(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	user := j.Class("com.acme.User", j.Object, hproftest.Ref("data"))
	var users []*hproftest.Object
	for range 3000 {
		users = append(users, j.New(user).Set("data", j.Bytes(make([]byte, 1000))))
	}
	j.Class("com.acme.ById", j.Object).Static("USERS", j.Array(j.Objects, users...))
	j.Class("com.acme.ByName", j.Object).Static("USERS", j.Array(j.Objects, users...))
	f := only(t, "big-retainer", detect(t, j))
	assert.Equal(t, "com.acme.User", f.Culprit.Class)
	assert.Equal(t, int64(3000), f.Objects)
	assert.Equal(t, finding.SeverityInfo, f.Severity)
}

// TestCollectionSizes has collections that do not tell their size in one field.
func TestCollectionSizes(t *testing.T) {
	const n = 1500
	payloads := func(j *hproftest.JDK) (class *hproftest.Class, all []*hproftest.Object) {
		class = j.Class("com.acme.Job", j.Object, hproftest.Ref("data"))
		for range n {
			all = append(all, j.New(class).Set("data", j.Bytes(make([]byte, 2048))))
		}
		return class, all
	}
	for name, build := range map[string]func(j *hproftest.JDK) *hproftest.Object{
		"java.util.ArrayDeque": func(j *hproftest.JDK) *hproftest.Object {
			_, jobs := payloads(j)
			slots := append(make([]*hproftest.Object, 1000), jobs...)
			slots = append(slots[2048:], slots[:2048]...) // the tail has wrapped
			class := j.Class("java.util.ArrayDeque", j.Object, hproftest.Ref("elements"), hproftest.Int("head"), hproftest.Int("tail"))
			elements := append(slots, make([]*hproftest.Object, 4096-len(slots))...)
			return j.New(class).Set("elements", j.Array(j.Objects, elements...)).Set("head", int32(3048)).Set("tail", int32(452))
		},
		"java.util.concurrent.ConcurrentLinkedQueue": func(j *hproftest.JDK) *hproftest.Object {
			_, jobs := payloads(j)
			node := j.Class("java.util.concurrent.ConcurrentLinkedQueue$Node", j.Object, hproftest.Ref("item"), hproftest.Ref("next"))
			var head *hproftest.Object
			for _, job := range jobs {
				head = j.New(node).Set("item", job).Set("next", head)
			}
			class := j.Class("java.util.concurrent.ConcurrentLinkedQueue", j.Object, hproftest.Ref("head"))
			return j.New(class).Set("head", head)
		},
		"java.util.concurrent.LinkedBlockingQueue": func(j *hproftest.JDK) *hproftest.Object {
			_, jobs := payloads(j)
			node := j.Class("java.util.concurrent.LinkedBlockingQueue$Node", j.Object, hproftest.Ref("item"), hproftest.Ref("next"))
			var head *hproftest.Object
			for _, job := range jobs {
				head = j.New(node).Set("item", job).Set("next", head)
			}
			counter := j.Class("java.util.concurrent.atomic.AtomicInteger", j.Object, hproftest.Int("value"))
			class := j.Class("java.util.concurrent.LinkedBlockingQueue", j.Object, hproftest.Ref("count"), hproftest.Ref("head"))
			return j.New(class).Set("head", head).Set("count", j.New(counter).Set("value", int32(n)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := hproftest.NewJDK(21, 8)
			queue := build(j)
			j.Class("com.acme.Worker", j.Object).Static("QUEUE", queue)
			j.Root(hprof.SubRootJNIGlobal, queue)
			f := only(t, "growing-collection", detect(t, j))
			assert.Equal(t, int64(n), f.Objects)
			assert.Contains(t, f.Title, "elements of com.acme.Job")
			assert.Contains(t, f.Evidence.Facts[0].Value, name)
		})
	}
}

// TestContainersOfLibraries are filled by who has them, not by the library.
func TestContainersOfLibraries(t *testing.T) {
	for _, name := range []string{
		"it.unimi.dsi.fastutil.ints.Int2ObjectOpenHashMap", "clojure.lang.PersistentHashMap$ArrayNode", "scala.Tuple2",
		"org.shaded.com.google.common.cache.LocalCache", "org.sparkproject.guava.cache.LocalCache",
	} {
		j := hproftest.NewJDK(17, 8)
		table := j.Class(name, j.Object, hproftest.Ref("value"))
		positions := j.Class("com.acme.Positions", j.Object, hproftest.Ref("byId"))
		var values []*hproftest.Object
		for range 300 {
			values = append(values, j.Bytes(make([]byte, 10_000)))
		}
		filled := j.New(table).Set("value", j.Array(j.Objects, values...))
		j.Class("com.acme.Main", j.Object).Static("POSITIONS", j.New(positions).Set("byId", filled))
		j.StickyClasses()
		f := only(t, "big-retainer", detect(t, j))
		assert.Equal(t, "com.acme.Positions", f.Culprit.Class, name)
		assert.Equal(t, "byId", f.Culprit.Field, name)
		assert.Contains(t, f.Title, name+" retains")
		assert.Contains(t, f.Summary, "It is held by field Positions.byId, from static field Main.POSITIONS on.", name)
		assert.Contains(t, f.Summary, "Most of what it retains is 300 byte[] with 2.87 MiB.", name)
	}
}

// TestHeldByStack names the call whose variable it is, that of the program before the JDK's.
func TestHeldByStack(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
	var rows []*hproftest.Object
	for range 3000 {
		rows = append(rows, j.Bytes(make([]byte, 1000)))
	}
	all := j.New(list).Set("elementData", j.Array(j.Objects, rows...)).Set("size", int32(3000))
	j.NewThread(j.Thread, "http-7", hproftest.Frame{Class: list, Method: "add", Line: 9, Locals: []*hproftest.Object{all}},
		hproftest.Frame{Class: j.Class("com.acme.Report", j.Object), Method: "rows", Line: 3, Locals: []*hproftest.Object{all}})
	f := only(t, "growing-collection", detect(t, j))
	assert.Equal(t, "com.acme.Report", f.Culprit.Class)
	assert.Equal(t, "com.acme.Report.rows", f.Evidence.Path.Frame)
	assert.Contains(t, f.Summary, `thread "http-7", in com.acme.Report.rows`)
}

// TestFilledVariable advises to look at what a call's variable is filled with, not the thread.
func TestFilledVariable(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	var rows []*hproftest.Object
	for range 3000 {
		rows = append(rows, j.Bytes(make([]byte, 1000)))
	}
	j.NewThread(j.Thread, "main", hproftest.Frame{Class: j.Class("com.acme.Report", j.Object), Method: "rows", Line: 3, Locals: []*hproftest.Object{j.Array(j.Objects, rows...)}})
	f := only(t, "big-retainer", detect(t, j))
	assert.Equal(t, "Look at what the variable of com.acme.Report.rows is filled with, and let go of what is done with.", f.Advice)
}
