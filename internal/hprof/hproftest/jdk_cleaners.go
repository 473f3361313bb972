package hproftest

// cleaners adds java.lang.ref.Cleaner with its implementation up to JDK 23 and since,
// and the older kind.
func (j *JDK) cleaners() {
	d := j.Dump
	oldName := "sun.misc.Cleaner"
	if j.Version >= 9 {
		oldName = "jdk.internal.ref.Cleaner"
		cleanable := d.Class("jdk.internal.ref.PhantomCleanable", j.phantom, Ref("prev"), Ref("next"), Ref("list"))
		if j.Version >= 24 {
			cleanable = d.Class("jdk.internal.ref.PhantomCleanable", j.phantom, Ref("list"), Ref("node"), Int("index"))
		}
		j.cleanable = d.Class("jdk.internal.ref.CleanerImpl$PhantomCleanableRef", cleanable, Ref("action"))
		j.cleanerImpl = d.Class("jdk.internal.ref.CleanerImpl", j.Object, Ref("queue"), Ref("list"))
	}
	j.oldCleaner = d.Class(oldName, j.phantom, Ref("next"), Ref("prev"), Ref("thunk"))
}

// Cleaner adds a java.lang.ref.Cleaner.
func (j *JDK) Cleaner() *Object {
	return j.New(j.cleanerImpl).Set("queue", j.New(j.queue)).Set("list", j.Array(j.Objects))
}

// Cleanable adds an action of a Cleaner. The collector clears the referent when it
// finds it dead; the actions that did not run are in the Cleaner's list.
func (j *JDK) Cleanable(cleaner, referent, action *Object, s State) *Object {
	queue, list := cleaner.get("queue").(*Object), cleaner.get("list").(*Object)
	c := j.New(j.cleanable).Set("referent", referent).Set("queue", queue).Set("action", action).Set("jdk.internal.ref.PhantomCleanable.list", list)
	if s < InProcessing {
		list.values = append(list.values, c)
	}
	switch {
	case j.Version >= 24 && s < InProcessing:
		c.Set("node", list)
	case j.Version < 24 && s < InProcessing:
		c.Set("jdk.internal.ref.PhantomCleanable.next", list)
	case j.Version < 24:
		c.Set("jdk.internal.ref.PhantomCleanable.next", c)
	}
	if s != Registered {
		c.Set("referent", nil)
	}
	switch {
	case s == Pending && j.Version < 12:
		c.Set("java.lang.ref.Reference.next", c)
	case s == Enqueued:
		j.enqueue(c, queue)
	case s > Enqueued:
		c.Set("queue", j.nullQueue).Set("java.lang.ref.Reference.next", c)
	}
	return c
}

// CleanerThread adds the thread of a Cleaner, at the given frames of a cleaning action.
func (j *JDK) CleanerThread(cleaner, cleanable *Object, frames ...Frame) *Object {
	return j.NewThread(j.Thread, "Cleaner-0", append(frames,
		Frame{Class: j.cleanable, Method: "performCleanup", Line: 186, Locals: []*Object{cleanable}},
		Frame{Class: j.cleanable.super, Method: "clean", Line: 133, Locals: []*Object{cleanable}},
		Frame{Class: j.cleanerImpl, Method: "run", Line: 142, Locals: []*Object{cleaner, cleanable}})...)
}

// IdleCleanerThread adds the thread of a Cleaner that is awake again, and waits for its queue.
func (j *JDK) IdleCleanerThread(cleaner *Object) *Object {
	t := j.NewThread(j.Thread, "Cleaner-0",
		Frame{Class: j.Object, Method: "wait", Line: -3},
		Frame{Class: j.queue, Method: "remove", Line: 155},
		Frame{Class: j.cleanerImpl, Method: "run", Line: 140, Locals: []*Object{cleaner}})
	j.SetThread(t, 8, true, Blocked)
	return t
}

// OldCleaner adds a cleaner that the Reference Handler runs.
func (j *JDK) OldCleaner(referent, thunk *Object, s State) *Object {
	c := j.New(j.oldCleaner).Set("referent", referent).Set("queue", j.New(j.queue)).Set("thunk", thunk)
	if s != Registered {
		c.Set("referent", nil)
	}
	if s == Pending && j.Version < 12 {
		c.Set("java.lang.ref.Reference.next", c)
	}
	if s > Enqueued {
		c.Set(j.oldCleaner.Name+".next", c)
	}
	return c
}
