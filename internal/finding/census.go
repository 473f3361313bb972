package finding

// States counts Finalizers by what happened to them.
type States struct {
	// RegisteredHeld is on the unfinalized chain, its referent reachable from a
	// GC root without passing a Final-, Weak- or PhantomReference's referent.
	RegisteredHeld int64 `json:"registered_held"`
	// RegisteredDead is the same, not reachable, not yet discovered by a GC.
	RegisteredDead int64 `json:"registered_dead"`
	// Pending is discovered and waits for the Reference Handler.
	Pending int64 `json:"pending"`
	// Enqueued waits in the queue of the Finalizer thread.
	Enqueued int64 `json:"enqueued"`
	// InProcessing is taken off the queue, finalize() has not returned.
	InProcessing int64 `json:"in_processing"`
	// Done is the shell of one that ran.
	Done int64 `json:"done"`
}

// Finalizers is the census of all java.lang.ref.Finalizer instances of a dump.
type Finalizers struct {
	Total  int64  `json:"total"`
	States States `json:"states"`
	// RegisteredUnknown are registered, their referent missing in a damaged dump;
	// absent when there are none. With it the States sum up to Total.
	RegisteredUnknown int64 `json:"registered_unknown,omitempty"`
	// Classes are the classes of the referents, biggest total first. Finalizers
	// without a referent (done) count under "(none)".
	Classes []FinalizerClass `json:"classes"`
	// QueueLength is the queue's own counter; nil when the dump does not have it.
	QueueLength *int64 `json:"queue_length,omitempty"`
	// Disabled is true when the JVM ran with --finalization=disabled.
	Disabled bool `json:"disabled"`
	// Notes say what this kind of dump does not tell.
	Notes []string `json:"notes"`
}

// FinalizerClass is the part of the census that concerns one class of referents.
type FinalizerClass struct {
	Class        string `json:"class"`
	Total        int64  `json:"total"`
	States       States `json:"states"`
	ShallowBytes int64  `json:"shallow_bytes"`
	// RetainedBytes is what these referents retain in the strong graph; nil when
	// not computed.
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
	// Paths say who holds the held referents, most objects first; absent where
	// not computed.
	Paths []Path `json:"paths,omitempty"`
}

// Scheduler is one timer or scheduled executor with its queue of tasks.
type Scheduler struct {
	// Kind is the class that owns the queue, such as "java.util.Timer".
	Kind string `json:"kind"`
	// Thread is the name of the thread that runs the tasks, if known.
	Thread string `json:"thread,omitempty"`
	// Object is the hex address of the object that owns the queue.
	Object string `json:"object"`
	Size   int64  `json:"size"`
	// Capacity is the length of the queue's array; 0 when the kind has none.
	Capacity int64 `json:"capacity,omitempty"`
	// Tasks are counted by class and state, most first. States are
	// "virgin", "scheduled", "executed", "cancelled" for java.util.Timer.
	Tasks     []TaskCount `json:"tasks"`
	Cancelled int64       `json:"cancelled"`
	Overdue   *int64      `json:"overdue,omitempty"`
	// HeadTask is the class of the task that is due first, empty where the dump cannot say.
	HeadTask string `json:"head_task,omitempty"`
	// HeadDue and LastDue are RFC 3339 instants, empty where the dump cannot say.
	HeadDue string `json:"head_due,omitempty"`
	LastDue string `json:"last_due,omitempty"`
	// DueReckoned says that both are reckoned from the last collection, the last moment
	// of the JVM's own clock that the dump tells: they are that late at most.
	DueReckoned bool `json:"due_reckoned,omitempty"`
	// Due counts the tasks over time, by state; absent where the dump cannot say.
	Due []DueCount `json:"due,omitempty"`
	// RetainedBytes is what only the queue keeps in memory.
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
}

// TaskCount counts the tasks of one class in one state.
type TaskCount struct {
	Class string `json:"class"`
	State string `json:"state"`
	Count int64  `json:"count"`
}
