package tx

import "time"

// State is how a transaction stands.
type State string

// The states. Lost is a transaction whose end nobody saw: the JVM died, or its
// worker vanished.
const (
	StateActive   State = "active"
	StateFinished State = "finished"
	StateFailed   State = "failed"
	StateLost     State = "lost"
)

// Certainty says how well a duration is known.
type Certainty string

// The certainties. Exact is the server's own figure to a millisecond; bounded lies
// between two figures that are sure; estimated is our clock between the first and
// the last time that a stack showed the transaction.
const (
	Exact     Certainty = "exact"
	Bounded   Certainty = "bounded"
	Estimated Certainty = "estimated"
)

// Elapsed is a duration with what is sure of it: MinMs <= true <= MaxMs.
type Elapsed struct {
	Ms        int64     `json:"ms"`
	MinMs     int64     `json:"min_ms"`
	MaxMs     int64     `json:"max_ms"`
	Certainty Certainty `json:"certainty"`
}

// Record is one slow transaction, or one in flight. Its JSON form is that of the
// ring on disk and of the API. Lists are never null. A Record is never changed once
// handed out.
type Record struct {
	// ID is unique among all targets and restarts: letters, digits and dashes.
	ID     string `json:"id"`
	Target string `json:"target"`
	State  State  `json:"state"`
	// Source says what showed it: "tomcat" (a RequestProcessor), "threads" (the stack of
	// a worker thread alone) or "spans" (those of the application's own
	// instrumentation alone).
	Source    string `json:"source"`
	Connector string `json:"connector,omitempty"`
	// Route is the templated path, of bounded variety; Path is the raw one without
	// its query. Both are empty where nobody saw the request itself.
	Route  string `json:"route"`
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Thread is the worker's name, ThreadID its id in the JVM; 0 if not known. Of an
	// asynchronous request it is the one that it began on, if a look saw it there.
	Thread   string `json:"thread,omitempty"`
	ThreadID int64  `json:"thread_id,omitempty"`
	// Start is by our clock.
	Start       time.Time `json:"start"`
	Elapsed     Elapsed   `json:"elapsed"`
	ThresholdMs int64     `json:"threshold_ms"`
	// Async is true once the request went on without a thread of the server.
	Async bool `json:"async,omitempty"`

	// Class is the one that was seen for most of the time: unknown only where nothing was
	// seen, "" without any sample.
	Class Class `json:"class,omitempty"`
	// Classes is the time by class, most first; their sum is Elapsed.Ms.
	Classes []ClassTime `json:"classes"`
	// HiddenMs is how long anything may have lasted without being seen at all: the
	// longest stretch between two looks in which the thread ran.
	HiddenMs int64 `json:"hidden_ms"`
	// Segments are stretches of one class on the time axis, in order.
	Segments []Segment `json:"segments"`
	// Measured is what the JVM and the system counted over the part of the
	// transaction between the first and the last sample.
	Measured *Measured `json:"measured,omitempty"`
	// Samples is the number of looks at its thread, SamplesSpared how many of them
	// cost no stack because the thread had not run since the one before.
	Samples       int `json:"samples"`
	SamplesSpared int `json:"samples_spared"`
	// Stacks is the merged tree of the stacks; its root is the outermost call. Nil
	// without any.
	Stacks *Node `json:"stacks,omitempty"`
	// Locks are the waits for locks that had an owner.
	Locks []LockWait `json:"locks"`
	// Peers and SQL are what the transaction waited for, filled by those who can
	// see sockets and database sessions.
	Peers []Peer `json:"peers"`
	SQL   []SQL  `json:"sql"`
	// Trace has the application's own spans, nil where none came.
	Trace *Trace `json:"trace,omitempty"`
	// Notes say what could not be seen, in words.
	Notes []string `json:"notes"`
}

// End is when the transaction ended, or how far it was followed.
func (r *Record) End() time.Time {
	return r.Start.Add(time.Duration(r.Elapsed.Ms) * time.Millisecond)
}

// ClassTime is the time spent in one class: in 95 of 100 cases the truth is within
// ErrorMs of Ms.
type ClassTime struct {
	Class   Class `json:"class"`
	Ms      int64 `json:"ms"`
	ErrorMs int64 `json:"error_ms"`
}

// Segment is a stretch of one class, in milliseconds since the start. Frame is the
// innermost call of the application itself, or the innermost of all.
type Segment struct {
	FromMs int64  `json:"from_ms"`
	ToMs   int64  `json:"to_ms"`
	Class  Class  `json:"class"`
	Frame  string `json:"frame,omitempty"`
	// Peer and SQL are what it was seen to wait for: an Address and a Text of those below.
	Peer string `json:"peer,omitempty"`
	SQL  string `json:"sql,omitempty"`
}

// Measured are exact figures. Nil fields were not to be had: blocked and waited
// time need contention monitoring in the JVM, the run queue the same host.
type Measured struct {
	// FromMs and ToMs are the stretch that was measured, since the start.
	FromMs         int64  `json:"from_ms"`
	ToMs           int64  `json:"to_ms"`
	CPUMs          *int64 `json:"cpu_ms,omitempty"`
	BlockedMs      *int64 `json:"blocked_ms,omitempty"`
	WaitedMs       *int64 `json:"waited_ms,omitempty"`
	RunQueueMs     *int64 `json:"run_queue_ms,omitempty"`
	GCMs           *int64 `json:"gc_ms,omitempty"`
	AllocatedBytes *int64 `json:"allocated_bytes,omitempty"`
	Waits          int64  `json:"waits"`
	Blocks         int64  `json:"blocks"`
}

// Node is one call in the merged tree of stacks. Samples and Ms include the
// children's.
type Node struct {
	Frame   string `json:"frame"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Class   Class  `json:"class,omitempty"`
	App     bool   `json:"app,omitempty"`
	Samples int    `json:"samples"`
	Ms      int64  `json:"ms"`
	// Children have the most time first.
	Children []*Node `json:"children,omitempty"`
}

// LockWait is a wait for a lock with the chain of those who held it: Owners[0] owns
// Lock, Owners[1] owns what Owners[0] waits for, and so on.
type LockWait struct {
	Lock   string      `json:"lock"`
	FromMs int64       `json:"from_ms"`
	ToMs   int64       `json:"to_ms"`
	Owners []LockOwner `json:"owners"`
}

// LockOwner is a thread that holds a lock, and what it does meanwhile.
type LockOwner struct {
	Thread string `json:"thread"`
	// Transaction is the ID of the one that the thread works on, Route its route;
	// empty if none.
	Transaction string `json:"transaction,omitempty"`
	Route       string `json:"route,omitempty"`
	Class       Class  `json:"class,omitempty"`
	// Lock is what the owner itself waits for, empty if for none.
	Lock string `json:"lock,omitempty"`
	// Stack has the innermost call first.
	Stack []string `json:"stack"`
}

// Peer is somebody at the other end of a connection that the transaction waited
// on.
type Peer struct {
	// Kind is "database", "http", "messaging", "store" (another data store) or "tcp".
	Kind string `json:"kind"`
	// Address is host:port, or the URL of the pool without its credentials. Name is what
	// people call it, empty where nobody does.
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
	// Ms is the share of the class's time that was seen to be for this peer.
	Ms      int64 `json:"ms"`
	ErrorMs int64 `json:"error_ms"`
	// Waits is how many waits for it were seen.
	Waits int `json:"waits"`
	// RTTMicros is the network's round trip, the least that the system measured in the last
	// minutes; 0 unknown.
	RTTMicros int64 `json:"rtt_us,omitempty"`
	// UnansweredMs is the longest time for which TCP had sent data and received none
	// back: the peer, or the network, owed an answer. 0 where nobody knows.
	UnansweredMs int64 `json:"unanswered_ms,omitempty"`
	// Evidence says how it is known: "socket", "pool-url" or "span".
	Evidence string `json:"evidence"`
}

// SQL is a statement that the transaction waited for. Text is normalised and has
// no literals.
type SQL struct {
	Text    string `json:"text"`
	Peer    string `json:"peer,omitempty"`
	Ms      int64  `json:"ms"`
	ErrorMs int64  `json:"error_ms"`
	// Seen is how many waits for it were seen.
	Seen int `json:"seen"`
	// Wait is what the database itself waited for at last, such as
	// "Lock: transactionid"; empty while it worked.
	Wait     string `json:"wait,omitempty"`
	Evidence string `json:"evidence"`
}
