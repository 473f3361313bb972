// Package jvm is the vocabulary of the collecting half: what one poll of a Java
// virtual machine says, as plain values. It does no I/O.
package jvm

import "time"

// Snapshot is one poll of what changes from second to second. It is immutable once
// built. A part that could not be read is nil or missing, never zero, and named in
// Missing.
type Snapshot struct {
	// Time is the sidecar's clock when the answer was complete.
	Time time.Time

	Runtime *Runtime
	Memory  *Memory
	// Pools are sorted by name.
	Pools []Pool
	// GCs are sorted by name.
	GCs     []GC
	Threads *Threads
	// AllocatedBytes is what all threads have allocated on the heap since the JVM
	// started; JDK 21 and later.
	AllocatedBytes Opt[int64]
	OS             *OS
	// Servers are the application servers and connection pools in the JVM.
	Servers Servers

	// Missing names what the poll asked for and did not get, in the order of
	// asking.
	Missing []Missing
}

// Missing is one part of a poll that has no answer.
type Missing struct {
	// Part is the MBean asked, such as "java.lang:type=Memory".
	Part string
	// Reason is the agent's own word, cut to a readable length.
	Reason string
}

// Runtime tells one run of the JVM from the next.
type Runtime struct {
	// StartMs is the JVM's start in milliseconds since the Unix epoch. A change
	// means that the JVM was restarted.
	StartMs Opt[int64]
	// UptimeMs is the JVM's own age.
	UptimeMs Opt[int64]
}

// Memory is the java.lang:type=Memory MBean.
type Memory struct {
	Heap, NonHeap Usage
	// PendingFinalizers counts objects in the queue of the Finalizer thread. It
	// does not count registered ones, nor those that something still holds.
	PendingFinalizers Opt[int64]
}

// Usage is a java.lang.management.MemoryUsage, in bytes.
type Usage struct {
	Init, Used, Committed, Max Opt[int64]
}

// Pool is one memory pool.
type Pool struct {
	// Name is the JVM's own, such as "G1 Old Gen".
	Name string
	// Heap is false for metaspace, code and the like.
	Heap  bool
	Kind  PoolKind
	Usage Usage
	// AfterGC is the usage after the last collection that covered the pool, nil
	// before the first one and for pools that are not collected.
	AfterGC *Usage
}

// GC is one garbage collector MBean.
type GC struct {
	// Name is the JVM's own, such as "G1 Young Generation".
	Name       string
	Phase      Phase
	Generation Generation
	// Count is the number of collections, TimeMs their accumulated time.
	Count, TimeMs Opt[int64]
	// Last is nil before the first collection.
	Last *LastGC
}

// LastGC describes the most recent collection of one collector.
type LastGC struct {
	ID         Opt[int64]
	DurationMs Opt[int64]
	// EndMs counts from the start of the JVM.
	EndMs Opt[int64]
	// Pools are sorted by name. Empty where the collector does not measure them
	// (the "Pauses" MBeans of ZGC and Shenandoah report zeros only).
	Pools []PoolChange
}

// PoolChange is a pool's used bytes before and after a collection.
type PoolChange struct {
	Pool                    string
	BeforeBytes, AfterBytes int64
}

// Threads are the live thread counters.
type Threads struct {
	Current, Daemon, Peak, Started Opt[int64]
}

// OS is the process and its machine as the JVM sees them.
type OS struct {
	// CPUTimeNs is the CPU time of the process in nanoseconds.
	CPUTimeNs Opt[int64]
	// LoadAverage is the run queue's length over the last minute.
	LoadAverage Opt[float64]
	// OpenFiles are file descriptors; missing on Windows.
	OpenFiles Opt[int64]
}
