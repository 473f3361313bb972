package finding_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// poolHeap builds thread pools whose threads wait for work.
type poolHeap struct {
	*hproftest.JDK
	pool, worker, thread, handler *hproftest.Class
	factory                       *hproftest.Object
	pools                         int
}

func newPoolHeap() *poolHeap {
	h := &poolHeap{JDK: hproftest.NewJDK(17, 8)}
	h.pool = h.ClassNamed("java.util.concurrent.ThreadPoolExecutor")
	h.worker = h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")
	h.thread = h.Class("com.acme.Thread", h.Thread, hproftest.Ref("target"))
	h.handler = h.Class("com.acme.Handler", h.Object, hproftest.Ref("pool"))
	h.factory = h.New(h.Class("java.util.concurrent.Executors$DefaultThreadFactory", h.Object))
	return h
}

// add adds a pool, which a handler has if it is held.
func (h *poolHeap) add(threads int, held bool) *hproftest.Object {
	h.pools++
	pool := h.New(h.pool).Set("threadFactory", h.factory)
	for i := range threads {
		w := h.New(h.worker).Set("this$0", pool)
		w.Set("thread", h.NewThread(h.thread, fmt.Sprintf("pool-%d-thread-%d", h.pools, i+1),
			hproftest.Frame{Class: h.pool, Method: "getTask", Locals: []*hproftest.Object{pool}},
			hproftest.Frame{Class: h.pool, Method: "runWorker", Locals: []*hproftest.Object{pool, w}},
			hproftest.Frame{Class: h.worker, Method: "run", Locals: []*hproftest.Object{w}}).Set("target", w))
	}
	if held {
		h.Root(hprof.SubRootJNIGlobal, h.New(h.handler).Set("pool", pool))
	}
	return pool
}

// TestThreadLeakOfPools has pools that were let go of, pools that are held, and one large pool.
func TestThreadLeakOfPools(t *testing.T) {
	for _, row := range []struct {
		name       string
		lost, held int
		want       finding.Severity // "" for no finding
		objects    int64
		culprit    string
	}{
		{"a few", 9, 9, "", 0, ""},
		{"many held", 0, 50, finding.SeverityInfo, 100, "com.acme.Handler"},
		{"very many held", 0, 500, finding.SeverityWarning, 1000, "com.acme.Handler"},
		{"some lost", 10, 9, finding.SeverityInfo, 20, "java.util.concurrent.ThreadPoolExecutor"},
		{"many lost", 50, 9, finding.SeverityWarning, 100, "java.util.concurrent.ThreadPoolExecutor"},
		{"very many lost", 1000, 0, finding.SeverityCritical, 2000, "java.util.concurrent.ThreadPoolExecutor"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newPoolHeap()
			h.add(300, true)
			for range row.lost {
				h.add(2, false)
			}
			for range row.held {
				h.add(2, true)
			}
			found := byKind("thread-leak", detect(t, h.JDK))
			if row.want == "" {
				assert.Empty(t, found)
				return
			}
			f := only(t, "thread-leak", found)
			assert.Equal(t, row.want, f.Severity)
			assert.Equal(t, row.culprit, f.Culprit.Class)
			assert.Equal(t, "pool-*-thread-*", f.Culprit.Thread)
			if row.lost > 0 {
				assert.Equal(t, row.objects, f.Objects, "only the threads of lost pools")
			} else {
				assert.Equal(t, row.objects+300, f.Objects)
				assert.Equal(t, "pool", f.Culprit.Field)
			}
		})
	}
}

// TestThreadLeakOfFinalizablePools has pools that end when what is around them is finalized.
func TestThreadLeakOfFinalizablePools(t *testing.T) {
	h := newPoolHeap()
	wrapper := h.Class("java.util.concurrent.Executors$FinalizableDelegatedExecutorService", h.Object, hproftest.Ref("e"))
	for range 40 {
		h.Finalizer(h.New(wrapper).Set("e", h.add(1, false)), hproftest.Registered)
	}
	assert.Empty(t, byKind("thread-leak", detect(t, h.JDK)))
}

// TestThreadsAlike has threads of no pool in one place, and the same number in as many places.
func TestThreadsAlike(t *testing.T) {
	build := func(n int, alike bool) []finding.Finding {
		j := hproftest.NewJDK(25, 8)
		consumer := j.Class("com.acme.Consumer", j.Object)
		for i := range n {
			method := "take"
			if !alike {
				method = fmt.Sprint("take", i)
			}
			j.NewThread(j.Thread, fmt.Sprintf("consumer-%d", i), hproftest.Frame{Class: consumer, Method: method})
		}
		return byKind("thread-leak", detect(t, j))
	}
	assert.Empty(t, build(150, true))
	assert.Empty(t, build(1500, false))
	assert.Equal(t, finding.SeverityInfo, only(t, "thread-leak", build(250, true)).Severity)
	f := only(t, "thread-leak", build(1500, true))
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Equal(t, int64(1500), f.Objects)
	assert.Equal(t, "com.acme.Consumer", f.Culprit.Class)
}

// TestGroupsOfThreadsAreToldApart has threads of one name and number at different work.
func TestGroupsOfThreadsAreToldApart(t *testing.T) {
	j := hproftest.NewJDK(25, 8)
	shop := j.Class("com.acme.Shop", j.Object)
	for i := range 750 {
		j.NewThread(j.Thread, fmt.Sprintf("Thread-%d", i), hproftest.Frame{Class: shop, Method: []string{"order", "pay", "ship"}[i%3]})
	}
	var titles, prints []string
	for _, f := range byKind("thread-leak", detect(t, j)) {
		titles, prints = append(titles, f.Title), append(prints, f.Fingerprint)
	}
	assert.ElementsMatch(t, []string{
		`250 threads alike, named "Thread-*", are in Shop.order`,
		`250 threads alike, named "Thread-*", are in Shop.pay`,
		`250 threads alike, named "Thread-*", are in Shop.ship`,
	}, titles)
	slices.Sort(prints)
	assert.Len(t, slices.Compact(prints), 3)
}

// TestThreadLeakRetainsTheTasks: what Timers and pools have still to do is theirs, though each of the
// waiting threads has it in a call, too.
func TestThreadLeakRetainsTheTasks(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	task := j.Class("com.acme.Expiry", j.Object, hproftest.Ref("entry"))
	timer, queues := j.ClassNamed("java.util.TimerThread"), j.ClassNamed("java.util.TaskQueue")
	const n, size = 120, 100_000
	for range n {
		first := j.New(task).Set("entry", j.Bytes(make([]byte, size)))
		queue := j.New(queues).Set("queue", j.Array(j.Object, nil, first))
		j.NewThread(timer, "Timer-0", hproftest.Frame{Class: timer, Method: "mainLoop", Locals: []*hproftest.Object{queue, first}}).Set("queue", queue)
	}
	f := only(t, "thread-leak", byKind("thread-leak", detect(t, j)))
	assert.Equal(t, int64(n), f.Objects)
	assert.Greater(t, f.Bytes, int64(n*size))
}

// TestThreadLeakOfKafkaClients has producers that were made and never closed; the heartbeats of
// consumers, which an application may have many of, are no leak.
func TestThreadLeakOfKafkaClients(t *testing.T) {
	build := func(n int, name string) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		class := j.Class("org.apache.kafka.common.utils.KafkaThread", j.Thread)
		selector := j.Class("org.apache.kafka.common.network.Selector", j.Object)
		for i := range n {
			j.NewThread(class, fmt.Sprintf(name, i), hproftest.Frame{Class: selector, Method: fmt.Sprint("select", i)})
		}
		return byKind("thread-leak", detect(t, j))
	}
	const producer = "kafka-producer-network-thread | producer-%d"
	assert.Empty(t, build(15, producer))
	assert.Empty(t, build(150, "kafka-coordinator-heartbeat-thread | group-%d"))
	assert.Equal(t, finding.SeverityInfo, only(t, "thread-leak", build(30, producer)).Severity)
	f := only(t, "thread-leak", build(150, producer))
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Contains(t, f.Advice, "KafkaProducer")
}

// TestThreadsNamedAfterIDs has the threads of clients whose names have ids of hexadecimal digits.
func TestThreadsNamedAfterIDs(t *testing.T) {
	build := func(name string) []finding.Finding {
		j := hproftest.NewJDK(25, 8)
		monitor := j.Class("com.mongodb.internal.connection.ServerMonitor", j.Object)
		for i := range 250 {
			id := sha256.Sum256([]byte{byte(i)})
			j.NewThread(j.Thread, fmt.Sprintf(name, id[:12]), hproftest.Frame{Class: monitor, Method: "wait"})
		}
		return byKind("thread-leak", detect(t, j))
	}
	f := only(t, "thread-leak", build("cluster-ClusterId{value='%x'}-127.0.0.1:27017"))
	assert.Equal(t, finding.SeverityWarning, f.Severity, "250 clients")
	assert.Contains(t, f.Title, "cluster-ClusterId{value='*'}-*.*.*.*:*")
	assert.Empty(t, build("cluster-x%xy"), "these are words")
}
