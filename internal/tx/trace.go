package tx

// SourceSpans is the source of a Record that is made of spans alone.
const SourceSpans = "spans"

// EvidenceSpan says of a peer or a statement that a span told it.
const EvidenceSpan = "span"

// Trace is what an instrumentation inside the application told of a transaction: the
// spans of its trace that are of its own process.
type Trace struct {
	// ID is that of the trace, in hexadecimal digits; Caller the span of another process
	// that called, empty without one.
	ID     string `json:"id"`
	Caller string `json:"caller,omitempty"`
	// Service is the name that the application gives itself.
	Service string `json:"service,omitempty"`
	// JoinedBy says how it is known that they belong to the record: JoinedByThread,
	// JoinedByPath, or "" where the record is made of them.
	JoinedBy string `json:"joined_by,omitempty"`
	// Root is the id of the span of the request itself. Spans are in the order of their
	// beginnings; LeftOut is how many more there were, the shortest ones.
	Root    string `json:"root"`
	Spans   []Span `json:"spans"`
	LeftOut int    `json:"left_out,omitempty"`
}

// The ways of Trace.JoinedBy: by the thread and the time, or, for requests that left their
// thread, by method, path, and the same beginning and end.
const (
	JoinedByThread = "thread"
	JoinedByPath   = "path"
)

// Span is one operation that was timed in the application.
type Span struct {
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
	Name   string `json:"name"`
	// Kind is "server", "client", "producer", "consumer" or "internal".
	Kind string `json:"kind"`
	// FromUs and ToUs are microseconds since the record's start.
	FromUs int64 `json:"from_us"`
	ToUs   int64 `json:"to_us"`
	// Class is what it waits for, empty for work of the application itself.
	Class Class `json:"class,omitempty"`
	// SQL is normalised and has no literals. Peer is host:port, or the host alone.
	SQL  string `json:"sql,omitempty"`
	Peer string `json:"peer,omitempty"`
	// Error says that it failed; ErrorType is the class of the exception or the status,
	// where it tells.
	Error     bool   `json:"error,omitempty"`
	ErrorType string `json:"error_type,omitempty"`
	// Thread and ThreadID are of the thread that began it; empty and 0 if not told.
	Thread   string `json:"thread,omitempty"`
	ThreadID int64  `json:"thread_id,omitempty"`
}
