package finding_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// byKind returns the findings of a kind.
func byKind(kind string, found []finding.Finding) []finding.Finding {
	var chosen []finding.Finding
	for _, f := range found {
		if f.Kind == kind {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// locals is a heap with a pool of threads and a value of so many bytes in each one's map.
// The ThreadLocal is a static field or gone; idle threads wait for work.
func locals(t *testing.T, bytes int, stale, idle bool) *hproftest.JDK {
	t.Helper()
	return localsIn(t, "threadLocals", 10, bytes, stale, idle)
}

// localsIn is locals with so many threads, each with its map in that field.
func localsIn(t *testing.T, field string, threads, bytes int, stale, idle bool) *hproftest.JDK {
	t.Helper()
	j := hproftest.NewJDK(17, 8)
	entry := j.Class("java.lang.ThreadLocal$ThreadLocalMap$Entry", j.WeakReference, hproftest.Ref("value"))
	entries := j.Class("[Ljava.lang.ThreadLocal$ThreadLocalMap$Entry;", j.Object)
	localMap := j.Class("java.lang.ThreadLocal$ThreadLocalMap", j.Object, hproftest.Ref("table"))
	local := j.New(j.Class("java.lang.ThreadLocal", j.Object))
	pool := j.Class("java.util.concurrent.ThreadPoolExecutor", j.Object)
	j.Class("com.acme.Context", j.Object).Static("CURRENT", local)
	request := j.Class("com.acme.Request", j.Object, hproftest.Ref("body"))
	method := "runWorker"
	if idle {
		method = "getTask"
	}
	for i := range threads {
		e := j.New(entry).Set("value", j.New(request).Set("body", j.Bytes(make([]byte, bytes))))
		if !stale {
			e.Set("referent", local)
		}
		m := j.New(localMap).Set("table", j.Array(entries, nil, e, nil))
		j.NewThread(j.Thread, fmt.Sprintf("exec-%d", i), hproftest.Frame{Class: pool, Method: method}).Set(field, m)
	}
	return j
}

func TestThreadLocals(t *testing.T) {
	t.Run("stale", func(t *testing.T) {
		f := only(t, "thread-local-leak", detect(t, locals(t, 200_000, true, true)))
		assert.Equal(t, finding.SeverityCritical, f.Severity)
		assert.Equal(t, "com.acme.Request", f.Culprit.Class)
		assert.Equal(t, int64(10), f.Objects)
		assert.Greater(t, f.Bytes, int64(2_000_000))
		assert.Contains(t, f.Title, "in 10 threads by ThreadLocals that are gone")
		require.NotNil(t, f.Evidence.Path)
	})
	t.Run("live and big", func(t *testing.T) {
		found := detect(t, locals(t, 200_000, false, false))
		f := only(t, "thread-local-leak", found)
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Empty(t, byKind("big-retainer", found), "one cause, one finding")
		assert.Contains(t, f.Summary, "of the ThreadLocal in static field Context.CURRENT")
	})
	t.Run("taken over by many threads", func(t *testing.T) {
		found := detect(t, localsIn(t, "inheritableThreadLocals", 120, 30_000, false, false))
		f := only(t, "thread-local-leak", found)
		assert.Contains(t, f.Title, "in 120 threads")
		assert.Contains(t, f.Advice, "A thread takes over what its maker has in an InheritableThreadLocal")
		assert.Empty(t, byKind("big-retainer", found), "not the threads, too")
	})
	t.Run("small", func(t *testing.T) {
		assert.Empty(t, byKind("thread-local-leak", detect(t, locals(t, 100, true, true))))
	})
	t.Run("shared with a call", func(t *testing.T) {
		// The map leads there, but retains it no more than the call's variable does.
		j := locals(t, 100, false, false)
		next := j.Class("com.acme.Proxy", j.Object, hproftest.Ref("next"))
		session := j.New(j.Class("com.acme.Session", j.Object, hproftest.Ref("entities"))).Set("entities", j.Bytes(make([]byte, 4<<20)))
		variable := j.New(next).Set("next", session)
		for range 9 {
			variable = j.New(next).Set("next", variable)
		}
		entry := j.Class("java.lang.ThreadLocal$ThreadLocalMap$Entry", j.WeakReference, hproftest.Ref("value"))
		e := j.New(entry).Set("value", j.New(j.Class("com.acme.Holder", j.Object, hproftest.Ref("session"))).Set("session", session))
		m := j.New(j.Class("java.lang.ThreadLocal$ThreadLocalMap", j.Object, hproftest.Ref("table"))).
			Set("table", j.Array(j.Class("[Ljava.lang.ThreadLocal$ThreadLocalMap$Entry;", j.Object), e))
		call := hproftest.Frame{Class: j.Class("com.acme.Shop", j.Object), Method: "run", Locals: []*hproftest.Object{variable}}
		j.NewThread(j.Thread, "main", call).Set("threadLocals", m)
		f := only(t, "big-retainer", detect(t, j))
		assert.Contains(t, f.Summary, "field Session.entities")
	})
}

// redeployed is a heap with loaders of a web application, all but the last one in a state.
func redeployed(n int, state string, soft bool) *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	enum := j.Class("java.lang.Enum", j.Object, hproftest.Ref("name"))
	lifecycle := j.Class("org.apache.catalina.LifecycleState", enum)
	constant := func(name string) *hproftest.Object { return j.New(lifecycle).Set("name", j.String(name)) }
	old, started := constant(state), constant("STARTED")
	base := j.Class("org.apache.catalina.loader.WebappClassLoaderBase", j.Object, hproftest.Ref("state"))
	loaders := j.Class("org.apache.catalina.loader.ParallelWebappClassLoader", base)
	for i := range n {
		l := j.New(loaders).Set("state", old)
		if i == n-1 {
			l.Set("state", started)
		}
		j.Class("com.acme.shop.Order", j.Object).LoadedBy(l)
		worker := j.Class("com.acme.shop.Worker", j.Object).LoadedBy(l).Static("DATA", j.Bytes(make([]byte, 500_000)))
		held := j.New(worker)
		if soft && i < n-1 {
			held = j.Soft(held)
		}
		// A cache of the JDK's is nearer, but lets go of them where memory is short.
		j.Class(fmt.Sprintf("com.sun.beans.Cache%d", i), j.Object).Static("ENTRY", j.Soft(l))
		holder := j.Class(fmt.Sprintf("com.acme.host.Registry%d", i), j.Object)
		holder.Static("LISTENER", held)
	}
	return j
}

func TestLoaderLeaks(t *testing.T) {
	t.Run("stopped", func(t *testing.T) {
		f := only(t, "class-loader-leak", detect(t, redeployed(4, "DESTROYED", false)))
		assert.Equal(t, finding.SeverityCritical, f.Severity)
		assert.Equal(t, int64(3), f.Objects)
		assert.Equal(t, "com.acme.shop.Worker", f.Culprit.Class)
		assert.Equal(t, "LISTENER", f.Culprit.Field)
		assert.Contains(t, f.Title, "3 stopped class loaders of com.acme.shop.*")
		assert.Contains(t, f.Summary, "3 are held by static field Registry")
	})
	t.Run("running", func(t *testing.T) {
		assert.Empty(t, byKind("class-loader-leak", detect(t, redeployed(4, "STARTED", false))))
	})
	t.Run("many, not known to be stopped", func(t *testing.T) {
		f := only(t, "class-loader-leak", detect(t, redeployed(6, "STARTED", false)))
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Equal(t, finding.ConfidenceLow, f.Confidence)
	})
	t.Run("applications that share what the server loads into each", func(t *testing.T) {
		j := hproftest.NewJDK(17, 8)
		loaders := j.Class("org.apache.tomee.catalina.TomEEWebappClassLoader", j.Object)
		for i, classes := range []int{100, 1, 1, 1, 1} {
			l := j.New(loaders)
			faces := j.Class("org.apache.tomee.myfaces.Listener", j.Object).LoadedBy(l).Static("DATA", j.Bytes(make([]byte, 500_000)))
			for n := range classes {
				j.Class("com.acme.shop.Order"+strings.Repeat("s", n), j.Object).LoadedBy(l)
			}
			j.Class(fmt.Sprintf("com.acme.host.Registry%d", i), j.Object).Static("LISTENER", j.New(faces))
		}
		assert.Empty(t, byKind("class-loader-leak", detect(t, j)))
	})
	t.Run("held by soft references only", func(t *testing.T) {
		assert.Empty(t, byKind("class-loader-leak", detect(t, redeployed(4, "STOPPED", true))))
	})
}

func TestDuplicateStrings(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	var all []*hproftest.Object
	for i := range 30_000 {
		texts := []string{"a text that is not short at all, not at all", "password=geheim123 is what nobody may see here", "d41d8cd98f00b204e9800998ecf8427e0001"}
		all = append(all, j.String(texts[i%3]))
	}
	j.Class("com.acme.Names", j.Object).Static("ALL", j.Array(j.Objects, all...))
	for range 2000 { // garbage
		j.String("dead text dead text dead text dead text dead text dead text")
	}
	f := only(t, "duplicate-strings", detect(t, j))
	assert.Equal(t, finding.SeverityInfo, f.Severity)
	assert.InDelta(t, 30_000, f.Objects, 10)
	var shown string
	for _, x := range f.Evidence.Facts {
		shown += x.Value + "\n"
	}
	assert.Contains(t, shown, `"a text that is not short at all`)
	assert.NotContains(t, shown, "geheim")
	assert.NotContains(t, shown, "d41d8")
	assert.NotContains(t, shown, "dead")
	assert.Contains(t, shown, "36 characters, not shown")
}

func TestSparseArrays(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	o := j.New(j.Object)
	for range 3000 {
		slots := make([]*hproftest.Object, 256)
		slots[7] = o
		j.Root(hprof.SubRootJNIGlobal, j.Array(j.Objects, slots...))
	}
	f := only(t, "sparse-arrays", detect(t, j))
	assert.Equal(t, finding.SeverityInfo, f.Severity)
	assert.Equal(t, "java.lang.Object[]", f.Culprit.Class)
	assert.Equal(t, int64(3000), f.Objects)
	assert.Equal(t, int64(3000*255*4), f.Bytes)
}

// TestSparseGarbage has sparse arrays most of which nothing reaches: they take nothing of what is in
// use, and full ones and repetitions are not counted for them.
func TestSparseGarbage(t *testing.T) {
	build := func(held int) *hproftest.JDK {
		j := hproftest.NewJDK(17, 8)
		quarter := make([]*hproftest.Object, 128)
		for i := range quarter {
			quarter[i] = j.New(j.Object)
		}
		o := quarter[0]
		for i := range 4000 {
			slots := make([]*hproftest.Object, 512)
			copy(slots, quarter)
			if a := j.Array(j.Objects, slots...); i < held {
				j.Root(hprof.SubRootJNIGlobal, a)
			}
		}
		j.Array(j.Objects, make([]*hproftest.Object, 1<<18)...) // garbage
		for range 500 {
			slots := make([]*hproftest.Object, 512)
			for i := range slots {
				if slots[i] = o; i%2 == 0 {
					slots[i] = j.New(j.Object)
				}
			}
			j.Root(hprof.SubRootJNIGlobal, j.Array(j.Objects, slots...))
		}
		return j
	}
	assert.Empty(t, byKind("sparse-arrays", detect(t, build(10))))
	f := only(t, "sparse-arrays", detect(t, build(1000)))
	assert.Equal(t, int64(1000), f.Objects)
	assert.Equal(t, int64(1000*384*4), f.Bytes)
	assert.Contains(t, f.Summary, "1,000 of 1,500 arrays are that empty")
	for _, x := range f.Evidence.Facts {
		assert.NotEqual(t, "array", x.Name, "the big one is garbage")
	}
}

func TestDirectBuffers(t *testing.T) {
	build := func(held, dead int, limit int64, pooled bool) *hproftest.JDK {
		j := hproftest.NewJDK(17, 8)
		buffer := j.Class("java.nio.Buffer", j.Object, hproftest.Int("capacity"))
		mapped := j.Class("java.nio.MappedByteBuffer", buffer, hproftest.Ref("fd"))
		direct := j.Class("java.nio.DirectByteBuffer", mapped, hproftest.Ref("att"), hproftest.Ref("cleaner"))
		j.Class("java.nio.Bits", j.Object).Static("MAX_MEMORY", limit)
		cleaner := j.Class("jdk.internal.ref.Cleaner", j.Object)
		chunk := j.Class("io.netty.buffer.PoolChunk", j.Object, hproftest.Ref("memory"))
		var all []*hproftest.Object
		for i := range held + dead {
			b := j.New(direct).Set("capacity", int32(1<<20)).Set("cleaner", j.New(cleaner))
			j.New(direct).Set("capacity", int32(1<<20)).Set("att", b) // a slice has no memory of its own
			switch {
			case i < held && pooled:
				all = append(all, j.New(chunk).Set("memory", b))
			case i < held:
				all = append(all, b)
			}
		}
		j.Class("com.acme.Channel", j.Object).Static("BUFFERS", j.Array(j.Objects, all...))
		return j
	}
	f := only(t, "direct-buffers", detect(t, build(92, 3, 100<<20, false)))
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Equal(t, "com.acme.Channel", f.Culprit.Class)
	assert.Equal(t, int64(95), f.Objects)
	assert.Contains(t, f.Summary, "3 are dead with 3.00 MiB")
	f = only(t, "direct-buffers", detect(t, build(70, 0, 1<<30, true)))
	assert.Equal(t, finding.SeverityInfo, f.Severity)
	assert.Contains(t, f.Advice, "Find ByteBufs that are not released")
	assert.True(t, f.NoShare(), "its bytes are no share of the heap")
	assert.Empty(t, byKind("direct-buffers", detect(t, build(3, 0, 1<<30, false))))
}

// TestBuffersOfThreads has buffers that the JDK keeps for several threads, and for one.
func TestBuffersOfThreads(t *testing.T) {
	for _, threads := range []int{40, 1} {
		j := hproftest.NewJDK(17, 8)
		buffer := j.Class("java.nio.Buffer", j.Object, hproftest.Int("capacity"))
		mapped := j.Class("java.nio.MappedByteBuffer", buffer, hproftest.Ref("fd"))
		direct := j.Class("java.nio.DirectByteBuffer", mapped, hproftest.Ref("cleaner"))
		cleaner := j.Class("jdk.internal.ref.Cleaner", j.Object)
		cache := j.Class("sun.nio.ch.Util$BufferCache", j.Object, hproftest.Ref("buffers"))
		uploader := j.Class("java.util.concurrent.ForkJoinWorkerThread", j.Thread, hproftest.Ref("cache"))
		for i := range threads {
			b := j.New(direct).Set("capacity", int32(100<<20)).Set("cleaner", j.New(cleaner))
			j.NewThread(uploader, fmt.Sprint("upload-", i)).Set("cache", j.New(cache).Set("buffers", j.Array(j.Objects, b)))
		}
		f := only(t, "direct-buffers", detect(t, j))
		assert.Equal(t, threads == 40, strings.Contains(f.Summary, `by way of threads such as "upload-`), f.Summary)
		assert.Equal(t, threads == 1, strings.Contains(f.Summary, `by way of thread "upload-0"`), f.Summary)
		assert.Contains(t, f.Advice, "-Djdk.nio.maxCachedBufferSize")
	}
}
