package jvm

// Servers is what application servers and connection pools publish as MBeans.
// Every list is sorted by name and empty where the JVM has no such thing.
type Servers struct {
	Connectors  []HTTPConnector
	WorkerPools []WorkerPool
	Sessions    []Sessions
	JDBCPools   []JDBCPool
	// Uncounted says that WildFly's Undertow counts no requests, its statistics being off.
	Uncounted bool
}

// HTTPConnector counts the requests that came in by one port.
type HTTPConnector struct {
	// Server is "tomcat" or "undertow", Name the connector's.
	Server, Name string
	// Requests and Errors are 32 bits wide in Tomcat: they wrap.
	Requests, Errors Opt[int64]
	// BusyNs is the time spent on requests, MaxNs the longest.
	BusyNs, MaxNs                Opt[int64]
	ReceivedBytes, SentBytes     Opt[int64]
	Connections, KeepAlive, Most Opt[int64]
}

// WorkerPool is the pool of threads that serve requests.
type WorkerPool struct {
	// Server is "tomcat", "jetty" or "undertow", Name the pool's.
	Server, Name               string
	Current, Busy, Max, Queued Opt[int64]
}

// Sessions are the HTTP sessions of one web application.
type Sessions struct {
	Server, Host, Context              string
	Active, Created, Expired, Rejected Opt[int64]
}

// JDBCPool is one pool of database connections.
type JDBCPool struct {
	// Kind is hikari, tomcat-jdbc, dbcp2 or wildfly; Name is the pool's.
	Kind, Name                                      string
	Used, Idle, Max, MinIdle, MaxIdle, Pending      Opt[int64]
	Borrowed, Returned, Created, Destroyed, Dropped Opt[int64]
	// BorrowMeanMs and BorrowMaxMs are waits for a connection.
	BorrowMeanMs, BorrowMaxMs Opt[int64]
}
