package report

import "github.com/apm-sidecar/apm-sidecar/internal/finding"

// seedReport is the case the analyser exists for: closed statements kept by the
// cancelled tasks of a driver's timer.
func seedReport() *Report {
	const statement = "org.postgresql.jdbc3g.Jdbc3gPreparedStatement"
	const task = "org.postgresql.jdbc2.AbstractJdbc2Statement$1"
	path := finding.Path{
		Root: "thread", Thread: "Timer-0",
		Steps: []finding.Step{
			{Class: "java.util.TimerThread", Object: "0x7f0a1c20", Field: "queue"},
			{Class: "java.util.TaskQueue", Object: "0x7f0a1c88", Field: "queue"},
			{Class: "java.util.TimerTask[]", Object: "0x7f31a010", Field: "[]"},
			{Class: task, Field: "this$0"},
			{Class: statement},
		},
		Objects: 30_000, Bytes: 3_360_000,
	}
	pool := finding.Path{
		Root: "static field",
		Steps: []finding.Step{
			{Class: "class com.acme.Pools", Object: "0x7f0c0010", Field: "main"},
			{Class: "java.util.LinkedList", Object: "0x7f0c0088", Field: "first"},
			{Class: "java.util.LinkedList$Node", Field: "next", Repeat: 41},
			{Class: "org.postgresql.jdbc3g.Jdbc3gConnection"},
		},
		Objects: 41, Bytes: 4_264,
	}
	return &Report{
		SchemaVersion: SchemaVersion,
		Tool:          Tool{Name: "heapscan", Version: "0.1.0"},
		Dump: Dump{Path: "tomcat.hprof", Format: "1.0.2", IDSize: 8, Bytes: 31_457_280,
			Compression: "none", Created: "2026-11-21T13:02:11Z"},
		JVM: &JVM{Version: "17.0.12", Vendor: "Eclipse Adoptium", Collector: "G1"},
		Heap: Heap{Objects: 412_331, ShallowBytes: 25_690_112,
			ReachableObjects: new(int64(400_120)), ReachableBytes: new(int64(25_270_000)),
			UnreachableObjects: new(int64(12_211)), UnreachableBytes: new(int64(420_112)),
			Classes: 1_834, Loaders: 12, GCRoots: 2_011,
			Layout: "64-bit, compressed references, 8-byte alignment", LayoutConfidence: finding.ConfidenceHigh},
		Histogram: []ClassRow{
			{Class: "byte[]", Loader: "boot", Instances: 90_112, ShallowBytes: 9_437_184},
			{Class: statement, Loader: "0x7f001000", Instances: 30_000, ShallowBytes: 3_360_000, RetainedBytes: new(int64(19_000_000))},
			{Class: task, Loader: "0x7f001000", Instances: 30_000, ShallowBytes: 1_200_000},
			{Class: "com.acme.Order$Line", Loader: "0x7f001000", Instances: 12, ShallowBytes: 480},
			{Class: "com.acme.Order$Line", Loader: "0x7f002000", Instances: 3, ShallowBytes: 120},
		},
		Loaders: []LoaderRow{
			{Loader: "0x7f001000", Class: "org.apache.catalina.loader.ParallelWebappClassLoader", Name: "leaky", Classes: 214, Instances: 60_012,
				ShallowBytes: 4_560_480, RetainedBytes: 19_102_000, LoaderRetainedBytes: new(int64(1_204_112))},
			{Loader: "boot", Classes: 1_600, Instances: 352_316, ShallowBytes: 21_129_512, RetainedBytes: 25_100_000},
			{Loader: "0x7f002000", Classes: 20, Instances: 3, ShallowBytes: 120, RetainedBytes: 120},
		},
		Packages: []PackageRow{
			{Package: "java.util", Classes: 310, Instances: 120_400, ShallowBytes: 6_000_000, RetainedBytes: 21_400_000},
			{Package: "org.postgresql.jdbc3g", Classes: 12, Instances: 30_044, ShallowBytes: 3_364_576, RetainedBytes: 19_000_000},
			{Package: "(primitive arrays)", Instances: 95_000, ShallowBytes: 9_800_000, RetainedBytes: 9_700_000},
		},
		Dominators: []DominatorRow{
			{Object: "0x7f31a010", Class: "java.util.TimerTask[]", ShallowBytes: 131_088, RetainedBytes: 20_551_000},
			{Object: "0x7f0b0010", Class: "org.apache.catalina.loader.ParallelWebappClassLoader", ShallowBytes: 152, RetainedBytes: 1_204_112},
		},
		DominatorTree: []DominatorNode{
			{Depth: 0, Class: "java.util.TimerTask[]", Object: "0x7f31a010", Objects: 1, ShallowBytes: 131_088, RetainedObjects: 90_001, RetainedBytes: 20_551_000},
			{Depth: 1, Class: task, Objects: 30_000, ShallowBytes: 1_200_000, RetainedObjects: 90_000, RetainedBytes: 20_419_912},
			{Depth: 2, Class: statement, Objects: 30_000, ShallowBytes: 3_360_000, RetainedObjects: 60_000, RetainedBytes: 19_000_000},
			{Depth: 3, Class: "byte[]", Objects: 30_000, ShallowBytes: 9_000_000, RetainedObjects: 30_000, RetainedBytes: 9_000_000},
			{Depth: 0, Class: "org.apache.catalina.loader.ParallelWebappClassLoader", Object: "0x7f0b0010", Objects: 1, ShallowBytes: 152, RetainedObjects: 9000, RetainedBytes: 1_204_112},
			{Depth: 0, Class: "java.lang.Class", Of: "com.acme.Pools", Object: "0x7f0c0010", Objects: 1, ShallowBytes: 88, RetainedObjects: 300, RetainedBytes: 60_000},
		},
		Finalizers: &finding.Finalizers{
			Total:  30_112,
			States: finding.States{RegisteredHeld: 30_041, RegisteredDead: 3, Pending: 0, Enqueued: 0, InProcessing: 0, Done: 68},
			Classes: []finding.FinalizerClass{
				{Class: statement, Total: 30_000, States: finding.States{RegisteredHeld: 30_000}, ShallowBytes: 3_360_000,
					RetainedBytes: new(int64(20_551_000)), Paths: []finding.Path{path}},
				{Class: "(none)", Total: 68, States: finding.States{Done: 68}},
				{Class: "org.postgresql.jdbc3g.Jdbc3gConnection", Total: 44, States: finding.States{RegisteredHeld: 41, RegisteredDead: 3}, ShallowBytes: 4_576, Paths: []finding.Path{pool}},
			},
			QueueLength: new(int64(0)),
		},
		Schedulers: []finding.Scheduler{{
			Kind: "java.util.Timer", Thread: "Timer-0", Object: "0x7f0a1c00", Size: 30_001, Capacity: 32_768,
			Tasks: []finding.TaskCount{
				{Class: task, State: "cancelled", Count: 30_000},
				{Class: task, State: "scheduled", Count: 1},
			},
			Cancelled: 30_000, Overdue: new(int64(0)),
			Due: []finding.DueCount{
				{From: "2026-11-21T13:43:14Z", Until: "2026-11-21T13:46:14Z", State: "cancelled", Count: 9_999},
				{From: "2026-11-21T13:43:14Z", Until: "2026-11-21T13:46:14Z", State: "scheduled", Count: 1},
				{From: "2026-11-21T13:49:14Z", Until: "2026-11-21T13:52:10.001Z", State: "cancelled", Count: 20_001},
			},
			HeadDue: "2026-11-21T13:43:14Z", LastDue: "2026-11-21T13:52:10Z", RetainedBytes: new(int64(20_551_000)),
		}},
		Findings: []finding.Finding{
			{
				Kind: "timer-held", Severity: finding.SeverityCritical, Confidence: finding.ConfidenceHigh,
				Title: `30,000 closed Jdbc3gPreparedStatement are held by cancelled tasks of timer "Timer-0"`,
				Summary: `30,000 of 30,112 Finalizers wait for statements that are closed but still reachable: the queue of timer thread "Timer-0" keeps ` +
					`30,000 cancelled AbstractJdbc2Statement$1 tasks, and each keeps its statement. They hold 19.6 MiB of 24.5 MiB. ` +
					`A cancelled task leaves the queue only when it is the head, and the head is due in 41 min 3 s.`,
				Advice: "Upgrade the PostgreSQL driver to 9.3-1101 or later (better 42.6 or later). " +
					"Until then, use a query timeout of seconds rather than 3,000 s.",
				Fingerprint: "timer-held/java.util.TimerThread/" + task,
				Culprit:     finding.Culprit{Class: task, Object: "0x7f0a1c88", Thread: "Timer-0", Field: "this$0", Loader: "0x7f001000"},
				Objects:     30_000, Bytes: 20_551_000,
				Evidence: finding.Evidence{
					Facts: []finding.Fact{
						{Name: "cancelled tasks", Value: "30,000 of 30,001"},
						{Name: "statements closed", Value: "30,000 of 30,000 (isClosed = true)"},
						{Name: "head due", Value: "2026-11-21T13:43:14Z, 41 min 3 s after the dump"},
						{Name: "pending finalizers", Value: "0: the pending count alone shows nothing"},
					},
					Path:    &path,
					Stack:   []string{"java.lang.Object.wait(Native Method)", "java.util.TimerThread.mainLoop(Timer.java:563)"},
					Refutes: "A later dump of the same JVM in which the number of cancelled tasks has fallen without the head having come due.",
				},
			},
			{
				Kind: "finalizers-waiting-for-old-gc", Severity: finding.SeverityInfo, Confidence: finding.ConfidenceLow,
				Title: "3 dead finalizable objects wait for a collection", Summary: "They go with the next collection of the old generation.",
				Fingerprint: "finalizers-waiting-for-old-gc/org.postgresql.jdbc3g.Jdbc3gConnection", Objects: 3, Bytes: 312,
			},
		},
		Limits: Limits{HistogramRows: 500, HistogramOmitted: 1_329, LoaderRows: 100, LoadersOmitted: 2, PackageRows: 200, PackagesOmitted: 31, DominatorRows: 50, DominatorsOmitted: 40, FinalizerClassRows: 50, SchedulerRows: 50},
	}
}

// stuckReport is a heap whose Finalizer thread waits for a lock, and that cleaners
// fill that can never run.
func stuckReport() *Report {
	r := healthyReport()
	r.Heap.FinalizationObjects, r.Heap.FinalizationBytes = new(int64(9_000)), new(int64(504_000))
	r.Finalizers.Notes = []string{"The dump holds no garbage."}
	r.Cleaners = &finding.Cleaners{
		Total: 2_004, States: finding.States{RegisteredHeld: 2_001, Enqueued: 2, InProcessing: 1},
		Classes: []finding.CleanerClass{
			{Class: "com.acme.Texture$Release", Total: 2_000, States: finding.States{RegisteredHeld: 2_000}, SelfReferencing: 2_000},
			{Class: "com.acme.File$Close", Total: 3, States: finding.States{Enqueued: 2, InProcessing: 1}},
			{Class: "java.util.Timer$ThreadReaper", Total: 1, States: finding.States{RegisteredHeld: 1}},
		},
	}
	r.Findings = []finding.Finding{{
		Kind: "finalizer-stuck", Severity: finding.SeverityCritical, Confidence: finding.ConfidenceHigh,
		Title:       "Finalizer thread is stuck in Connection.finalize(): 9,000 objects wait behind it",
		Summary:     `It waits without a time limit for ReentrantLock @ 0x7f0c1100, owned by thread "worker-7", RUNNABLE in Client.read.`,
		Advice:      "Take the lock out of finalize().",
		Fingerprint: "0123456789abcdef",
		Culprit:     finding.Culprit{Class: "com.acme.Connection", Object: "0x7f0c1000", Thread: "Finalizer"},
		Objects:     9_000, Bytes: 504_000,
		Evidence: finding.Evidence{
			Facts: []finding.Fact{{Name: "owner", Value: `"worker-7", RUNNABLE, known by the lock's own field`}},
			Stack: []string{"jdk.internal.misc.Unsafe.park(Native Method)", "com.acme.Connection.finalize(Connection.java:41)"},
			Lock: &finding.Lock{Class: "java.util.concurrent.locks.ReentrantLock$NonfairSync", Object: "0x7f0c1100", Owner: "worker-7",
				OwnerState: "RUNNABLE", Proof: "field", OwnerStack: []string{"com.acme.Client.read(Client.java:7)"}},
			Refutes: "A second dump with an empty queue.",
		},
	}}
	return r
}

// healthyReport is a heap that is merely in use.
func healthyReport() *Report {
	r := seedReport()
	r.Finalizers = &finding.Finalizers{
		Total: 44, States: finding.States{RegisteredHeld: 41, RegisteredDead: 3},
		Classes: []finding.FinalizerClass{{Class: "org.postgresql.jdbc3g.Jdbc3gConnection", Total: 44,
			States: finding.States{RegisteredHeld: 41, RegisteredDead: 3}, ShallowBytes: 4_576}},
	}
	r.Schedulers = []finding.Scheduler{{Kind: "java.util.Timer", Thread: "Timer-0", Object: "0x7f0a1c00"}}
	r.Findings = []finding.Finding{}
	r.Dominators = r.Dominators[1:]
	return r
}

// truncatedReport is a healthy heap of which the end is missing.
func truncatedReport() *Report {
	r := healthyReport()
	r.Dump.Truncated = true
	r.Finalizers.Total += 2
	r.Finalizers.RegisteredUnknown = 2
	r.Warnings = []Warning{{Code: "truncated", Message: "the dump ends in the middle of a record", Offset: new(int64(30_000_001))}}
	return r
}

// histogramReport is what a scan without a graph gives.
func histogramReport() *Report {
	r := seedReport()
	h := &r.Heap
	h.ReachableObjects, h.ReachableBytes, h.UnreachableObjects, h.UnreachableBytes = nil, nil, nil, nil
	r.Loaders, r.Packages = nil, nil
	r.JVM, r.Dominators, r.Finalizers, r.Schedulers, r.Findings = nil, nil, nil, nil, nil
	return r
}
