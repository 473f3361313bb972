package tx

// Class is what a transaction spends its time on.
type Class string

// The classes. CPU is time on a processor; run queue is time ready to run without
// one; GC is time in which the JVM had stopped it in the middle of work, as a rule for
// a collection. All
// others are waits: for the answer of a database (SQL), of an HTTP server, of a
// message broker (Messaging), of another data store such as Redis (Store), for a
// connection of a pool (Pool), for a lock, a file, the log, the client's own bytes
// (Client), another socket (Network), an asynchronous answer without a thread
// (Async), or something else (Wait). Unknown is time that nobody looked at.
const (
	ClassCPU       Class = "cpu"
	ClassRunQueue  Class = "run_queue"
	ClassGC        Class = "gc"
	ClassSQL       Class = "sql"
	ClassPool      Class = "pool"
	ClassHTTP      Class = "http"
	ClassMessaging Class = "messaging"
	ClassStore     Class = "store"
	ClassLock      Class = "lock"
	ClassFile      Class = "file"
	ClassLogging   Class = "logging"
	ClassNetwork   Class = "network"
	ClassClient    Class = "client"
	ClassAsync     Class = "async"
	ClassWait      Class = "wait"
	ClassUnknown   Class = "unknown"
)

// Classes lists all of them, in the order of charts.
func Classes() []Class {
	return []Class{
		ClassCPU, ClassRunQueue, ClassGC, ClassSQL, ClassPool, ClassHTTP, ClassMessaging, ClassStore, ClassLock,
		ClassFile, ClassLogging, ClassNetwork, ClassClient, ClassAsync, ClassWait, ClassUnknown,
	}
}

// Most is the class that was seen for most of the time: unknown only where nothing was seen,
// "" without any.
func Most(classes []ClassTime) Class {
	for _, c := range classes { // most time first
		if c.Class != ClassUnknown {
			return c.Class
		}
	}
	if len(classes) > 0 {
		return ClassUnknown
	}
	return ""
}
