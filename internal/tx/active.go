package tx

import "time"

// Active is one transaction in flight as the board shows it.
type Active struct {
	ID        string    `json:"id"`
	Target    string    `json:"target"`
	Source    string    `json:"source"`
	Route     string    `json:"route"`
	Method    string    `json:"method,omitempty"`
	Path      string    `json:"path,omitempty"`
	Thread    string    `json:"thread,omitempty"`
	Start     time.Time `json:"start"`
	ElapsedMs int64     `json:"elapsed_ms"`
	// Bucket is "0-1", "1-3", "3-8" or "8+", in seconds.
	Bucket string `json:"bucket"`
	Slow   bool   `json:"slow"`
	Async  bool   `json:"async,omitempty"`
	// Class is what it does now, Frame where; both empty before the first sample.
	Class Class  `json:"class,omitempty"`
	Frame string `json:"frame,omitempty"`
	// StuckMs is how long the thread has been in the same stack, as two looks or more saw;
	// 0 where it had moved at the last one.
	StuckMs int64 `json:"stuck_ms"`
	// Lock and LockOwner are what it waits for and the thread that has it;
	// OwnerID is the transaction of that thread, if any.
	Lock      string `json:"lock,omitempty"`
	LockOwner string `json:"lock_owner,omitempty"`
	OwnerID   string `json:"lock_owner_transaction,omitempty"`
	// Peer and SQL are those that it waits for now, where somebody can see them.
	Peer string `json:"peer,omitempty"`
	SQL  string `json:"sql,omitempty"`
}

// SureMs is for how long it is in flight for sure: what stacks alone tell may be several requests
// of one kind in a row, but for the time in which the thread stood still.
func (a *Active) SureMs() int64 {
	if a.Source == SourceThreads {
		return a.StuckMs
	}
	return a.ElapsedMs
}

// Buckets are the names of Bucket's buckets, in order.
func Buckets() []string { return []string{"0-1", "1-3", "3-8", "8+"} }

// Bucket is the name of the bucket of elapsed seconds.
func Bucket(elapsed time.Duration) string {
	switch {
	case elapsed < time.Second:
		return "0-1"
	case elapsed < 3*time.Second:
		return "1-3"
	case elapsed < 8*time.Second:
		return "3-8"
	}
	return "8+"
}

// Summary is a Record without its inner parts: a dot of the scatter chart and a row
// of the list.
type Summary struct {
	ID        string    `json:"id"`
	Target    string    `json:"target"`
	Route     string    `json:"route"`
	Method    string    `json:"method,omitempty"`
	Path      string    `json:"path,omitempty"`
	State     State     `json:"state"`
	Class     Class     `json:"class,omitempty"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	ElapsedMs int64     `json:"elapsed_ms"`
	Certainty Certainty `json:"certainty"`
	// Classes and Peers are those of the Record; records of older versions have none.
	Classes []ClassTime `json:"classes"`
	Peers   []Peer      `json:"peers"`
}

// Summary is the record in short.
func (r *Record) Summary() Summary {
	return Summary{
		ID: r.ID, Target: r.Target, Route: r.Route, Method: r.Method, Path: r.Path,
		State: r.State, Class: r.Class, Start: r.Start, End: r.End(),
		ElapsedMs: r.Elapsed.Ms, Certainty: r.Elapsed.Certainty, Classes: r.Classes, Peers: r.Peers,
	}
}
