package report

// Threads are the threads of a dump with their stacks.
type Threads struct {
	Head
	// Threads are sorted by what they retain where that was computed, else as the
	// dump numbers them.
	Threads []Thread     `json:"threads"`
	Limits  ThreadLimits `json:"limits"`
}

// Thread is one thread. Parts that the dump does not tell are absent.
type Thread struct {
	// Object is the address of the thread object.
	Object string `json:"object,omitempty"`
	Class  string `json:"class,omitempty"`
	Name   string `json:"name"`
	// Serial is the thread's number in the dump, and ID that of Thread.getId().
	Serial   int64 `json:"serial"`
	ID       int64 `json:"id,omitempty"`
	Daemon   bool  `json:"daemon"`
	Virtual  bool  `json:"virtual"`
	Priority int64 `json:"priority,omitempty"`
	// State is that of java.lang.Thread.State, or a virtual thread's own.
	State string `json:"state,omitempty"`
	// RetainedBytes is what the thread object and the objects on its stack retain; nil
	// where that was not asked for.
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
	// Frames are the calls, innermost first.
	Frames        []ThreadFrame `json:"frames"`
	FramesOmitted int64         `json:"frames_omitted"`
	// Locals are what the stack holds outside of Frames.
	Locals        []Local `json:"locals"`
	LocalsOmitted int64   `json:"locals_omitted"`
}

// ThreadFrame is one call.
type ThreadFrame struct {
	// Call is the call as Java's stack traces write it.
	Call   string `json:"call"`
	Class  string `json:"class"`
	Method string `json:"method"`
	// Source is the name of the source file, and Line the line in it.
	Source string `json:"source,omitempty"`
	Line   int64  `json:"line,omitempty"`
	Native bool   `json:"native"`
	// Locals are the objects that the call's variables refer to.
	Locals        []Local `json:"locals"`
	LocalsOmitted int64   `json:"locals_omitted"`
}

// Local is an object on a stack.
type Local struct {
	ObjectName
	// Root is the kind of GC root: "java frame", "JNI local" ...
	Root string `json:"root"`
	// RetainedBytes is nil where it was not asked for.
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
}

// ThreadLimits says what was left out.
type ThreadLimits struct {
	ThreadRows     int   `json:"thread_rows"`
	ThreadsOmitted int64 `json:"threads_omitted"`
	// LocalRows bounds the locals of a frame, and FrameRows the frames of a thread.
	LocalRows int `json:"local_rows"`
	FrameRows int `json:"frame_rows"`
}
