package hproftest

import (
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// JDK is a dump that holds the classes of a JDK which the analysis knows, with
// the fields of that version.
//
// Source: java.lang.ref.* and java.util.Timer of JDK 6 to 25.
type JDK struct {
	*Dump
	Version int
	// Object and Thread are the classes to derive others from.
	Object, Thread *Class
	// TimerTask is the class of tasks, Tasks that of arrays of them.
	TimerTask, Tasks *Class
	// Objects is the class Object[].
	Objects *Class

	// WeakReference is that class.
	WeakReference *Class

	str, finalizer, soft, phantom          *Class
	queue, finalizerThread, systemAccess   *Class
	cleanerImpl, cleanable, oldCleaner     *Class
	sync                                   *Class
	timer, timerThread, taskQueue          *Class
	executor, workQueue, future, worker    *Class
	futures, holder                        *Class
	finalizerQueue, nullQueue, enqueuedAll *Object
	unfinalized                            *Object
}

// NewJDK returns the heap of an idle JVM of the given version.
func NewJDK(version, idSize int) *JDK {
	d := New(idSize)
	j := &JDK{Dump: d, Version: version}
	j.Object = d.Class("java.lang.Object", nil)
	d.Class("java.lang.Class", j.Object, Ref("name"), Ref("classLoader"))
	if version >= 9 {
		j.str = d.Class("java.lang.String", j.Object, Int("hash"), Byte("coder"), Ref("value"))
	} else {
		j.str = d.Class("java.lang.String", j.Object, Int("hash"), Ref("value"))
	}
	d.Class("[B", j.Object)
	d.Class("[C", j.Object)
	j.Objects = d.Class("[Ljava.lang.Object;", j.Object)
	if version >= 16 {
		d.Class("java.lang.Record", j.Object)
	}
	if version >= 19 {
		j.holder = d.Class("java.lang.Thread$FieldHolder", j.Object, Int("priority"), Bool("daemon"), Int("threadStatus"))
		j.Thread = d.Class("java.lang.Thread", j.Object, Ref("name"), Ref("holder"), Ref("parkBlocker"), Ref("threadLocals"), Ref("inheritableThreadLocals"))
	} else {
		j.Thread = d.Class("java.lang.Thread", j.Object, Ref("name"), Int("priority"), Bool("daemon"), Int("threadStatus"), Ref("parkBlocker"), Ref("threadLocals"), Ref("inheritableThreadLocals"))
	}
	j.references()
	j.cleaners()
	j.locks()
	j.timers()
	j.executors()
	return j
}

// references adds java.lang.ref and the queue of the Finalizer thread.
func (j *JDK) references() {
	d := j.Dump
	reference := d.Class("java.lang.ref.Reference", j.Object, Ref("referent"), Ref("queue"), Ref("next"), Ref("discovered"))
	final := d.Class("java.lang.ref.FinalReference", reference)
	j.WeakReference = d.Class("java.lang.ref.WeakReference", reference)
	j.soft = d.Class("java.lang.ref.SoftReference", reference, Long("timestamp"))
	j.phantom = d.Class("java.lang.ref.PhantomReference", reference)
	j.finalizer = d.Class("java.lang.ref.Finalizer", final, Ref("next"), Ref("prev"))
	queue := d.Class("java.lang.ref.ReferenceQueue", j.Object, Ref("head"), Long("queueLength"), Ref("lock"))
	null := d.Class("java.lang.ref.ReferenceQueue$Null", queue)
	j.nullQueue, j.enqueuedAll = d.New(null), d.New(null)
	nullName := "NULL"
	if j.Version >= 25 {
		nullName = "NULL_QUEUE"
	}
	queue.Static(nullName, j.nullQueue).Static("ENQUEUED", j.enqueuedAll)
	j.queue = queue
	own := queue
	if j.Version >= 19 && j.Version < 24 {
		own = d.Class("java.lang.ref.NativeReferenceQueue", queue)
	}
	j.finalizerQueue = d.New(own)
	j.finalizer.Static("queue", j.finalizerQueue)
	if j.Version >= 18 {
		j.finalizer.Static("ENABLED", true)
	}
}

// timers adds java.util.Timer.
func (j *JDK) timers() {
	d := j.Dump
	j.timer = d.Class("java.util.Timer", j.Object, Ref("queue"), Ref("thread"))
	j.timerThread = d.Class("java.util.TimerThread", j.Thread, Bool("newTasksMayBeScheduled"), Ref("queue"))
	j.taskQueue = d.Class("java.util.TaskQueue", j.Object, Ref("queue"), Int("size"))
	j.TimerTask = d.Class("java.util.TimerTask", j.Object, Ref("lock"), Int("state"), Long("nextExecutionTime"), Long("period"))
	j.Tasks = d.Class("[Ljava.util.TimerTask;", j.Object)
}

// executors adds java.util.concurrent.ScheduledThreadPoolExecutor.
func (j *JDK) executors() {
	d := j.Dump
	const pool, scheduled = "java.util.concurrent.ThreadPoolExecutor", "java.util.concurrent.ScheduledThreadPoolExecutor"
	base := d.Class(pool, j.Object, Ref("workQueue"), Ref("threadFactory"))
	j.worker = d.Class(pool+"$Worker", j.Object, Ref("thread"), Ref("this$0"))
	j.executor = d.Class(scheduled, base, Bool("removeOnCancel"))
	j.workQueue = d.Class(scheduled+"$DelayedWorkQueue", j.Object, Ref("queue"), Int("size"))
	task := d.Class("java.util.concurrent.FutureTask", j.Object, Int("state"), Ref("callable"))
	j.future = d.Class(scheduled+"$ScheduledFutureTask", task, Long("time"), Ref("this$0"), Ref("outerTask"))
	j.futures = d.Class("[Ljava.util.concurrent.RunnableScheduledFuture;", j.Object)
}

// Future adds a task of an executor in a state of java.util.concurrent.FutureTask.
// outer is what an executor that decorates its tasks lets it keep.
func (j *JDK) Future(state int32, outer *Object) *Object {
	return j.New(j.future).Set("state", state).Set("outerTask", outer)
}

// Executor adds a ScheduledThreadPoolExecutor with one live thread and a queue of
// tasks, the head first, in an array of the given capacity.
func (j *JDK) Executor(name string, capacity int, tasks ...*Object) *Object {
	slots := make([]*Object, capacity)
	copy(slots, tasks)
	queue := j.New(j.workQueue).Set("queue", j.Array(j.futures, slots...)).Set("size", int32(len(tasks)))
	pool := j.New(j.executor).Set("workQueue", queue)
	thread := j.NewThread(j.Thread, name)
	worker := j.New(j.worker).Set("thread", thread).Set("this$0", pool)
	j.Root(hprof.SubRootJNIGlobal, worker)
	return pool
}

// String adds a java.lang.String of ASCII text.
func (j *JDK) String(s string) *Object {
	if j.Version >= 9 {
		return j.New(j.str).Set("value", j.Bytes([]byte(s)))
	}
	chars := &Object{dump: j.Dump, elem: hprof.TypeChar, ID: j.take(16 + 2*len(s))}
	for _, r := range s {
		chars.values = append(chars.values, uint16(r))
	}
	j.objects = append(j.objects, chars)
	return j.New(j.str).Set("value", chars)
}

// NewThread adds a live thread with a name and a stack.
func (j *JDK) NewThread(c *Class, name string, frames ...Frame) *Object {
	t := j.New(c).Set("name", j.String(name))
	j.Dump.Thread(t, frames...)
	return t
}

// SetThread sets what a thread says of itself; status are the bits of JVM TI.
func (j *JDK) SetThread(thread *Object, priority int32, daemon bool, status int32) {
	of := thread
	if j.holder != nil {
		of = j.New(j.holder)
		thread.Set("holder", of)
	}
	of.Set("priority", priority).Set("daemon", daemon).Set("threadStatus", status)
}

// DisableFinalization makes the JVM one that ran with --finalization=disabled.
func (j *JDK) DisableFinalization() {
	i := slices.IndexFunc(j.finalizer.statics, func(s static) bool { return s.Name == "ENABLED" })
	j.finalizer.statics[i].value = false
}

// Collected says when the JVM last collected, by the clock of System.nanoTime in
// milliseconds.
func (j *JDK) Collected(ms int64) { j.soft.Static("clock", ms) }

// State is what happened to a Finalizer or a cleaner.
type State int

// The states, in the order of a Finalizer's life.
const (
	Registered State = iota
	Pending
	Enqueued
	InProcessing
	Done
)

// Finalizer adds the Finalizer of a referent in the given state. Registered,
// pending and enqueued ones are on the unfinalized chain.
func (j *JDK) Finalizer(referent *Object, s State) *Object {
	f := j.New(j.finalizer)
	f.Set("referent", referent).Set("queue", j.finalizerQueue)
	switch s {
	case Pending:
		f.Set("java.lang.ref.Reference.next", f)
	case Enqueued:
		j.enqueue(f, j.finalizerQueue)
	case InProcessing, Done:
		f.Set("queue", j.nullQueue).Set("java.lang.ref.Reference.next", f).Set("java.lang.ref.Finalizer.next", f)
		if s == Done {
			f.Set("referent", nil)
		}
		return f
	}
	f.Set("java.lang.ref.Finalizer.next", j.unfinalized)
	j.unfinalized = f
	return f
}

// enqueue puts a reference into a queue.
func (j *JDK) enqueue(reference, queue *Object) {
	head, _ := queue.get("head").(*Object)
	if head == nil {
		head = reference
	}
	length, _ := queue.get("queueLength").(int64)
	reference.Set("queue", j.enqueuedAll).Set("java.lang.ref.Reference.next", head)
	queue.Set("head", reference).Set("queueLength", length+1)
}

// PhantomClass adds a class derived from PhantomReference.
func (j *JDK) PhantomClass(name string, fields ...Field) *Class {
	return j.Class(name, j.phantom, fields...)
}

// Queue adds a ReferenceQueue in which these references wait.
func (j *JDK) Queue(references ...*Object) *Object {
	q := j.New(j.queue)
	for _, r := range references {
		j.enqueue(r, q)
	}
	return q
}

// get returns the value of a field.
func (o *Object) get(field string) any {
	i := 0
	for _, k := range o.class.hierarchy() {
		for _, f := range k.fields {
			if f.Name == field {
				return o.values[i]
			}
			i++
		}
	}
	return nil
}

// Weak and Soft add a reference object.
func (j *JDK) Weak(referent *Object) *Object { return j.New(j.WeakReference).Set("referent", referent) }

// Soft adds a SoftReference.
func (j *JDK) Soft(referent *Object) *Object { return j.New(j.soft).Set("referent", referent) }

// States of a TimerTask.
const (
	Scheduled = 1
	Cancelled = 3
)

// Task adds a task of a class derived from TimerTask, due in so many milliseconds
// after the dump.
func (j *JDK) Task(c *Class, state int32, dueMs int64) *Object {
	return j.New(c).Set("state", state).Set("nextExecutionTime", j.CreatedMs+dueMs)
}

// Timer adds a java.util.Timer with a live thread and a queue of tasks, the head
// first, in an array of the given capacity.
func (j *JDK) Timer(name string, capacity int, tasks ...*Object) *Object {
	if capacity <= len(tasks) {
		panic(fmt.Sprintf("%d tasks in a queue of %d", len(tasks), capacity))
	}
	slots := make([]*Object, capacity)
	copy(slots[1:], tasks)
	queue := j.New(j.taskQueue).Set("queue", j.Array(j.Tasks, slots...)).Set("size", int32(len(tasks)))
	thread := j.NewThread(j.timerThread, name).Set("queue", queue)
	return j.New(j.timer).Set("queue", queue).Set("thread", thread)
}

// Finish roots what a JVM always holds: the boot loader's classes and the chain of
// Finalizers. Call it once, when the heap is complete.
func (j *JDK) Finish() *Dump {
	j.finalizer.Static("unfinalized", j.unfinalized)
	j.StickyClasses()
	return j.Dump
}
