package finding

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
)

// Heap is what the analysis looks at: the graph, its dominator tree, and the
// values of the watched fields. It is read-only.
type Heap struct {
	*heap.Graph
	Tree *dom.Tree
	// Created is when the dump was taken, by the JVM's clock.
	Created time.Time

	threadInfos map[heap.ObjID]heap.ThreadInfo // of threads with a stack
	otherNames  map[heap.ObjID]string          // of timers' and pools' threads that are not among those
	threadOrder []uint32                       // places in Threads, by object
	links       map[heap.ObjID]link            // who waits for whom
	readings    map[heap.ObjID]reading         // of threads that read from sockets
	registry    *registry                      // all Finalizers
	drivers     map[string]string              // by the prefix of their packages: name and version
	errands     []errand                       // what service threads are at
	pressure    func() pressure                // looked for once

	// The rest is known after Examine.

	classRetained []uint64 // by ClassID, nil if not known
	census        census
	schedulers    []*scheduler // biggest first
	losses        []loss       // by schedulers, biggest first
	accumulated   accumulated
	// keptObjects and keptBytes are what only finalization keeps.
	keptObjects, keptBytes int64
	// classValues are what looks like garbage and is not.
	classValues classValues
	// whole is true for a dump of the whole heap, garbage and all.
	whole bool
}

// The tables that watches asks for, in order.
const (
	tableFinalizer = iota
	tableQueue
	tableThread
	tableTimer
	tableTimerThread
	tableTaskQueue
	tableTask
	tableExecutor
	tableWorkQueue
	tableFuture
	tableWorker
	tablePhantom
	tableCleaner
	tableThreadMaps
	tableEntry
	tableDirectBuffer
	tableForkJoin
	tableDelayed
	tableCopyOnWrite
	tableHikariPool
	tableHikariConfig
	tableHikariEntry
	tableHikariProxy
	tableTomcatPool
	tableTomcatConnection
	tableTomcatInterceptor
	tableTomcatProperties
	tableLinkedQueue
	tableCounter
	tableArrayDeque
	tableThreadPool
	tableC3P0
	tableC3P0Connection
	tableAgroalHandler
	tableAgroalWrapper
	tableObjectPool
	tableDbcp                                   // for each of dbcpPackages as many as dbcpTables
	tableCollections = tableDbcp + 2*dbcpTables // and the following ones
)

// The columns of tableFinalizer.
const (
	finalizerQueue = iota
	finalizerNext
	finalizerReferent
)

// The columns of tableQueue.
const (
	queueLength = iota
	queueHead
)

// maxWorkers bounds the workers of thread pools whose threads' names are read.
const maxWorkers = 10_000

const (
	referenceClass = "java.lang.ref.Reference"
	finalizerClass = "java.lang.ref.Finalizer"
	queueClass     = "java.lang.ref.ReferenceQueue"
)

// Notes are what the analysis needs noted while a dump is read. The flags are those of JDBC
// statements, of which there may be millions.
func Notes() heap.Options {
	return heap.Options{Watches: watches(), Flags: []string{"isClosed", "closed"}, Contents: true, Places: true}
}

// watches are the fields whose values are looked at.
func watches() []heap.Watch {
	all := []heap.Watch{
		tableFinalizer: {Class: finalizerClass, Fields: []heap.FieldName{
			{Class: referenceClass, Field: "queue"}, {Class: referenceClass, Field: "next"}, {Class: referenceClass, Field: "referent"}}},
		tableQueue: {Class: queueClass, Fields: []heap.FieldName{
			{Class: queueClass, Field: "queueLength", Long: true}, {Class: queueClass, Field: "head"}}},
		tableThread:      {Class: "java.lang.Thread", Fields: []heap.FieldName{{Class: "java.lang.Thread", Field: "name"}}},
		tableTimer:       {Class: "java.util.Timer", Fields: []heap.FieldName{{Class: "java.util.Timer", Field: "queue"}, {Class: "java.util.Timer", Field: "thread"}}},
		tableTimerThread: {Class: "java.util.TimerThread", Fields: []heap.FieldName{{Class: "java.util.TimerThread", Field: "queue"}}},
		tableTaskQueue:   {Class: "java.util.TaskQueue", Fields: []heap.FieldName{{Class: "java.util.TaskQueue", Field: "queue"}, {Class: "java.util.TaskQueue", Field: "size"}}},
		tableTask: {Class: "java.util.TimerTask", Fields: []heap.FieldName{
			{Class: "java.util.TimerTask", Field: "state"}, {Class: "java.util.TimerTask", Field: "nextExecutionTime", Long: true}}},
		tableExecutor: {Class: executorClass, Fields: []heap.FieldName{{Class: poolClass, Field: "workQueue"}}},
		tableWorkQueue: {Class: executorClass + "$DelayedWorkQueue", Fields: []heap.FieldName{
			{Class: executorClass + "$DelayedWorkQueue", Field: "queue"}, {Class: executorClass + "$DelayedWorkQueue", Field: "size"}}},
		tableFuture: {Class: executorClass + "$ScheduledFutureTask", Fields: []heap.FieldName{
			{Class: "java.util.concurrent.FutureTask", Field: "state"},
			{Class: executorClass + "$ScheduledFutureTask", Field: "time", Long: true}}},
		tableWorker: {Class: poolClass + "$Worker", Fields: []heap.FieldName{
			{Class: poolClass + "$Worker", Field: "thread"}, {Class: poolClass + "$Worker", Field: "this$0"}}},
		tablePhantom: phantomWatch(),
		tableCleaner: {Class: cleanerImplClass, Fields: []heap.FieldName{{Class: cleanerImplClass, Field: "queue"}}},
		tableThreadMaps: {Class: "java.lang.Thread", Fields: []heap.FieldName{
			{Class: "java.lang.Thread", Field: "threadLocals"}, {Class: "java.lang.Thread", Field: "inheritableThreadLocals"}}},
		tableEntry: {Class: threadLocalEntry, Fields: []heap.FieldName{
			{Class: referenceClass, Field: "referent"}, {Class: threadLocalEntry, Field: "value"}}},
		tableDirectBuffer: {Class: "java.nio.DirectByteBuffer", Fields: []heap.FieldName{
			{Class: "java.nio.Buffer", Field: "capacity"}, {Class: "java.nio.DirectByteBuffer", Field: "cleaner"}, {Class: "java.nio.MappedByteBuffer", Field: "fd"}}},
		tableForkJoin: {Class: forkJoinPool, Fields: []heap.FieldName{{Class: forkJoinPool, Field: "delayScheduler"}}},
		tableDelayed: {Class: delayedClass, Fields: []heap.FieldName{
			{Class: joinTask, Field: "status"}, {Class: delayedClass, Field: "heapIndex"}, {Class: delayedClass, Field: "pool"},
			{Class: delayedClass, Field: "when", Long: true}}},
		tableCopyOnWrite:      {Class: copyOnWrite, Fields: []heap.FieldName{{Class: copyOnWrite, Field: "array"}}},
		tableTomcatProperties: {}, // see connectionWatches
		tableLinkedQueue:      {Class: linkedQueue, Fields: []heap.FieldName{{Class: linkedQueue, Field: "count"}}},
		tableCounter:          {Class: atomicInteger, Fields: []heap.FieldName{{Class: atomicInteger, Field: "value"}}, AtLeast: manyElements},
		tableArrayDeque: {Class: arrayDeque, Fields: []heap.FieldName{
			{Class: arrayDeque, Field: "elements"}, {Class: arrayDeque, Field: "head"}, {Class: arrayDeque, Field: "tail"}}},
		tableC3P0: {Class: c3p0Pool, Fields: []heap.FieldName{{Class: c3p0Pool, Field: "managed"}, {Class: c3p0Pool, Field: "max"}}},
		tableC3P0Connection: {Class: c3p0Connection, Fields: []heap.FieldName{
			{Class: c3p0Connection, Field: "physicalConnection"}, {Class: c3p0Connection, Field: "exposedProxy"}}},
		tableAgroalHandler: {Class: agroalHandler, Fields: []heap.FieldName{
			{Class: agroalHandler, Field: "connection"}, {Class: agroalHandler, Field: "connectionPool"}, {Class: agroalHandler, Field: "state"}, {Class: agroalHandler, Field: "enlisted"}}},
		tableAgroalWrapper: {Class: agroalWrapper, Fields: []heap.FieldName{{Class: agroalWrapper, Field: "handler"}}},
		tableObjectPool:    {Class: objectPool, Fields: []heap.FieldName{{Class: objectPool, Field: "allObjects"}, {Class: objectPoolBase, Field: "maxTotal"}}},
		tableThreadPool:    {Class: poolClass, Fields: []heap.FieldName{{Class: poolClass, Field: "threadFactory"}, {Class: poolClass, Field: "workQueue"}}},
	}
	for i, w := range connectionWatches() {
		all[tableHikariPool+i] = w
	}
	return slices.Concat(all, dbcpWatches(), collectionWatches())
}

// NewHeap reads what all detectors need: the Finalizers, the threads' names, who of them waits for
// whom, and what those are at that serve others. The graph must have been built with
// Notes. Errors: that of ctx; no memory.
func NewHeap(ctx context.Context, g *heap.Graph, tree *dom.Tree, created time.Time) (*Heap, error) {
	h := &Heap{Graph: g, Tree: tree, Created: created}
	h.pressure = sync.OnceValue(h.readPressure)
	h.registry = newRegistry(h)
	if err := Plan(g); err != nil {
		return nil, err
	}
	threads, err := h.readThreads(ctx)
	if err != nil {
		return nil, err
	}
	if err = h.readOtherNames(ctx); err != nil {
		return nil, err
	}
	if h.drivers, err = h.readDrivers(ctx); err != nil {
		return nil, err
	}
	if err = h.readLinks(ctx, threads); err != nil {
		return nil, err
	}
	if err = h.readReadings(ctx); err != nil {
		return nil, err
	}
	h.errands = h.readErrands()
	return h, nil
}

// NameOf returns the class that a class object stands for, the name of a live
// thread, and "" for other objects.
func (h *Heap) NameOf(o heap.ObjID) string {
	if c := h.ClassAt(h.Address(o)); c != heap.NoClass {
		return h.Classes[c].Name
	}
	return h.threadName(o)
}

// address renders an address as reports do.
func address(a uint64) string { return fmt.Sprintf("%#x", a) }

// retained returns what the object retains, in bytes.
func (h *Heap) retained(o heap.ObjID) int64 { return int64(h.Tree.Retained(uint32(o))) }

// retainedTogether returns what the objects retain in all, none counted twice.
func (h *Heap) retainedTogether(objects iter.Seq[heap.ObjID]) (int64, error) {
	bytes, err := dom.RetainedTogether(h.Tree, objects)
	return int64(bytes), err
}

// reachable says whether a GC root reaches the object in the strong graph.
func (h *Heap) reachable(o heap.ObjID) bool { return h.Tree.Reachable(uint32(o)) }

// hasReference says whether an object refers to another one.
func (h *Heap) hasReference(from, to heap.ObjID) bool {
	for o := range h.References(from) {
		if o == to {
			return true
		}
	}
	return false
}

// Kept returns what no GC root reaches and finalization keeps: all that has a
// Finalizer and has not been finalized, with all that it refers to.
func (h *Heap) Kept() (objects, bytes int64) { return h.keptObjects, h.keptBytes }

// inUse returns the bytes that a collection can't free now.
func (h *Heap) inUse() int64 { return int64(h.Tree.Total()) + h.keptBytes }
