package hproftest

import "slices"

// The bits of JVM TI for what threads are at.
const (
	Running = 0x5
	Blocked = 0x401
	Parked  = 0x291
	Asleep  = 0xE1
	Ended   = 0x2
)

// locks adds what java.util.concurrent parks threads on.
func (j *JDK) locks() {
	const class = "java.util.concurrent.locks."
	owned := j.Class(class+"AbstractOwnableSynchronizer", j.Object, Ref("exclusiveOwnerThread"))
	j.sync = j.Class(class+"ReentrantLock$NonfairSync", owned, Int("state"))
	j.finalizerThread = j.Class("java.lang.ref.Finalizer$FinalizerThread", j.Thread, Bool("running"))
	j.systemAccess = j.Class("java.lang.System$2", j.Object)
}

// Lock adds a ReentrantLock that a thread owns.
func (j *JDK) Lock(owner *Object) *Object { return j.New(j.sync).Set("exclusiveOwnerThread", owner) }

// Park makes a thread wait for a lock.
func (j *JDK) Park(thread, lock *Object) {
	j.SetThread(thread, 8, true, Parked)
	thread.Set("parkBlocker", lock)
}

// FinalizerThread adds the thread that runs finalize(), at the given frames, whose
// outermost one is finalize() itself, for a referent that it took off its queue.
func (j *JDK) FinalizerThread(referent *Object, frames ...Frame) *Object {
	f := j.Finalizer(referent, InProcessing)
	return j.NewThread(j.finalizerThread, "Finalizer", append(frames,
		Frame{Class: j.systemAccess, Method: "invokeFinalize", Line: 2314, Locals: []*Object{referent}},
		Frame{Class: j.finalizer, Method: "runFinalizer", Line: 88, Locals: []*Object{f, referent}},
		Frame{Class: j.finalizerThread, Method: "run", Line: 173})...)
}

// HandlerThread adds the Reference Handler, blocked in a cleaner that it runs.
func (j *JDK) HandlerThread(cleaner *Object, frames ...Frame) *Object {
	handler := j.Class("java.lang.ref.Reference$ReferenceHandler", j.Thread)
	t := j.NewThread(handler, "Reference Handler", append(frames,
		Frame{Class: j.oldCleaner, Method: "clean", Line: 144, Locals: []*Object{cleaner}},
		Frame{Class: handler, Method: "run", Line: 215})...)
	j.SetThread(t, 10, true, Blocked)
	return t
}

// RunTask puts the thread of a Timer at the given frames of a task.
func (j *JDK) RunTask(timer, task *Object, frames ...Frame) *Object {
	t := timer.get("thread").(*Object)
	j.Run(t, append(frames,
		Frame{Class: j.timerThread, Method: "mainLoop", Line: 566, Locals: []*Object{t, task}},
		Frame{Class: j.timerThread, Method: "run", Line: 516})...)
	return t
}

// RunJob puts the thread of an executor at the given frames of a job.
func (j *JDK) RunJob(pool *Object, frames ...Frame) *Object {
	i := slices.IndexFunc(j.objects, func(o *Object) bool { return o.class == j.worker && o.get("this$0") == pool })
	t := j.objects[i].get("thread").(*Object)
	j.Run(t, append(frames,
		Frame{Class: j.future.super, Method: "run", Line: 264},
		Frame{Class: j.executor.super, Method: "runWorker", Line: 1136, Locals: []*Object{pool, t}})...)
	return t
}
