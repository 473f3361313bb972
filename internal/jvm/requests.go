package jvm

import "time"

// Requests is one look at the requests that a JVM works on, and at what stops all
// of them at once. It is immutable.
type Requests struct {
	// Sent and Received enclose the moment at which the JVM answered, by our clock.
	Sent, Received time.Time
	// Others are how long we waited at most for each answer of the agent since the look
	// before, this look's own left out.
	Others []time.Duration
	// Bytes is the length of the answer.
	Bytes int
	// Start and Uptime are the JVM's own; a change of StartMs is a restart.
	StartMs, UptimeMs Opt[int64]
	// PauseMs is the time since the start in which collections stopped the
	// application.
	PauseMs Opt[int64]
	// CPUNs is what answering cost the JVM, the writing of the answer left out.
	CPUNs Opt[int64]
	// StartedThreads is the number of threads that were started so far.
	StartedThreads Opt[int64]
	// Registers says that Tomcat registers its MBeans: each request then has a processor
	// among them, but over HTTP/2. An idle one has none yet.
	Registers bool
	// BusyWorkers are the threads of Tomcat's pools that handle something now. It is known
	// only where Tomcat speaks HTTP/2, whose requests have no processors.
	BusyWorkers Opt[int64]
	// PID is the number of the process as the JVM sees it; Process is "pid@host" on the
	// usual virtual machines, empty if unknown.
	PID     Opt[int64]
	Process string
	// Workers are what the threads that were asked for have used up so far, by the
	// name that the server knows them by.
	Workers map[string]Used
	// Processors are Tomcat's; nil without Tomcat, or where it registers none.
	Processors []RequestProcessor
}

// At is the moment of the look: half way between asking and being answered.
func (r *Requests) At() time.Time { return r.Sent.Add(r.Received.Sub(r.Sent) / 2) }

// Used is what a thread has used up since its start.
type Used struct {
	// CPUNs is time on a processor, RunQueueNs time ready to run without one; the
	// latter is known only on the same host.
	CPUNs, RunQueueNs Opt[int64]
}

// The stages of a RequestProcessor that matter (org.apache.coyote.Constants).
const (
	StageService   = 3
	StageEndInput  = 4
	StageEndOutput = 5
	StageEnded     = 7
)

// RequestProcessor is a row of Tomcat's MBeans of that type: a worker that handles
// one request after the other (org.apache.coyote.RequestInfo). Its attributes are
// read one after the other, Count first: what is read of the others belongs to the
// Count+1st request as long as the next look finds the same Count.
type RequestProcessor struct {
	// Name is the MBean's name with its keys in order: never used twice in the life
	// of a JVM.
	Name string
	// Connector is the worker key without quotes, such as http-nio-8080.
	Connector string
	Stage     int64
	// ElapsedMs is since the first byte of the request in hand.
	ElapsedMs int64
	// Count, ProcessingMs and Errors sum up the finished requests.
	Count, ProcessingMs, Errors int64
	// LastMs is the duration of the last one of them.
	LastMs int64
	// Thread is the name that the worker had when the request began; empty when no
	// thread is on it.
	Thread string
	// Path is the request's, without its query; empty when there is none.
	Path   string
	Method string
	// Estimated says that the row was made of a worker thread's stack, and that Path
	// is the application's call that it entered by. ThreadID is that thread's, 0 in other rows.
	Estimated bool
	ThreadID  int64
}

// Frame is one call of a stack.
type Frame struct {
	Class, Method, File string
	// Line is 0 where it is not known.
	Line   int
	Native bool
}

// ThreadState is java.lang.Thread.State.
type ThreadState string

// The states.
const (
	Runnable     ThreadState = "RUNNABLE"
	Blocked      ThreadState = "BLOCKED"
	Waiting      ThreadState = "WAITING"
	TimedWaiting ThreadState = "TIMED_WAITING"
)

// Thread is what a JVM says of one of its threads.
type Thread struct {
	ID    int64
	Name  string
	State ThreadState
	// BlockedCount and WaitedCount grow by one each time it waits; BlockedMs and
	// WaitedMs are known only where the JVM measures contention.
	BlockedCount, WaitedCount int64
	BlockedMs, WaitedMs       Opt[int64]
	// CPUNs and AllocatedBytes are since the thread's start.
	CPUNs, AllocatedBytes Opt[int64]
	// RunQueueNs is the time ready to run without a processor; known only on the same
	// host.
	RunQueueNs Opt[int64]
	// Lock is what it waits for, as class@hash; LockOwnerID is 0 where nobody owns
	// it.
	Lock          string
	LockOwnerID   int64
	LockOwnerName string
	// Stack has the innermost call first; empty where only the state was asked.
	Stack []Frame
}
