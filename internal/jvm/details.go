package jvm

import "time"

// Details is one poll of what changes slowly or costs the JVM more. The rules of a
// Snapshot hold.
type Details struct {
	// Time is the sidecar's clock when the answer was complete.
	Time time.Time

	VM      *VM
	Classes *Classes
	// CompilationMs is the time spent in the JIT compiler since the JVM started.
	CompilationMs Opt[int64]
	// GCCPUTimeNs is the CPU time of all collector threads; JDK 26 and later.
	GCCPUTimeNs Opt[int64]
	// Peaks are the pools' highest use since the start, sorted by pool.
	Peaks []Peak
	// Buffers are sorted by name.
	Buffers []BufferPool
	// MaxDirectBytes is how much memory direct buffers may take; it is asked for once.
	MaxDirectBytes Opt[int64]
	// Processors are those that the JVM may use.
	Processors Opt[int64]
	// MaxFiles bounds the file descriptors; missing on Windows and where there is
	// no bound.
	MaxFiles Opt[int64]
	// ProcessLoad and SystemLoad are shares from 0 to 1 of all processors.
	ProcessLoad, SystemLoad Opt[float64]
	// ThreadIDs are those of all live threads, in the JVM's order.
	ThreadIDs []int64

	Missing []Missing
}

// VM names the virtual machine and its process.
type VM struct {
	// Name, Vendor and Version are of the virtual machine; empty if unknown.
	Name, Vendor, Version string
	// Process is "pid@host" on the usual virtual machines, as the JVM sees both;
	// empty if unknown.
	Process string
}

// Peak is the highest use of a memory pool, in bytes.
type Peak struct {
	Pool      Pool
	UsedBytes Opt[int64]
}

// Classes are the class loading counters.
type Classes struct {
	Loaded, LoadedTotal, UnloadedTotal Opt[int64]
}

// BufferPool is one pool of java.nio buffers.
type BufferPool struct {
	Name                            string
	Count, UsedBytes, CapacityBytes Opt[int64]
}

// ThreadStates is what a look at every thread says, without stacks.
type ThreadStates struct {
	// Time is the sidecar's clock when the answer was complete.
	Time time.Time
	// Count is the number of threads in each state that has any.
	Count map[ThreadState]int64
	// Deadlocked waits for monitors or java.util.concurrent locks in a circle,
	// DeadlockedMonitor for monitors alone.
	Deadlocked, DeadlockedMonitor Opt[int64]

	Missing []Missing
}

// AllThreadStates are the states there are, in Java's order.
func AllThreadStates() []ThreadState {
	return []ThreadState{"NEW", "RUNNABLE", "BLOCKED", "WAITING", "TIMED_WAITING", "TERMINATED"}
}
