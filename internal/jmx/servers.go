package jmx

import (
	"cmp"
	"regexp"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// serverItems ask for application servers and connection pools. Each JVM has few of
// them: what is absent rests. Names: Tomcat registers under its engine's name or,
// embedded, under "Tomcat"; Jetty's QueuedThreadPool under a domain of its own.
func serverItems() []item[jvm.Snapshot] {
	return slices.Concat([]item[jvm.Snapshot]{
		{read("*:type=GlobalRequestProcessor,name=*", "requestCount", "errorCount", "processingTime", "maxTime", "bytesReceived", "bytesSent"), true, decodeTomcatConnectors},
		{read("*:type=ThreadPool,name=*", "currentThreadCount", "currentThreadsBusy", "maxThreads", "connectionCount", "keepAliveCount", "maxConnections"), true, decodeTomcatThreads},
		{read("*:type=Manager,host=*,context=*", "activeSessions", "sessionCounter", "expiredSessions", "rejectedSessions"), true, decodeTomcatSessions},
		{read("org.eclipse.jetty.util.thread:type=queuedthreadpool,*", "threads", "busyThreads", "maxThreads", "queueSize"), true, decodeJettyThreads},
	}, wildflyItems(), poolItems())
}

func decodeTomcatConnectors(s *jvm.Snapshot, v value) {
	eachBean(v, func(name []byte, bean value) {
		if !int32Counter(bean, "requestCount").Known() {
			return
		}
		s.Servers.Connectors = append(s.Servers.Connectors, jvm.HTTPConnector{
			Server:        "tomcat",
			Name:          objectKeys(name)["name"],
			Requests:      int32Counter(bean, "requestCount"),
			Errors:        int32Counter(bean, "errorCount"),
			BusyNs:        scaled(bean, "processingTime", msToNs),
			MaxNs:         scaled(bean, "maxTime", msToNs),
			ReceivedBytes: count(bean, "bytesReceived"),
			SentBytes:     count(bean, "bytesSent"),
		})
	})
	sortConnectors(s)
}

func decodeTomcatThreads(s *jvm.Snapshot, v value) {
	eachBean(v, func(key []byte, bean value) {
		name := objectKeys(key)["name"]
		if !count(bean, "currentThreadsBusy").Known() {
			return
		}
		s.Servers.WorkerPools = append(s.Servers.WorkerPools, jvm.WorkerPool{
			Server:  "tomcat",
			Name:    name,
			Current: count(bean, "currentThreadCount"),
			Busy:    count(bean, "currentThreadsBusy"),
			Max:     count(bean, "maxThreads"),
		})
		for i := range s.Servers.Connectors {
			if c := &s.Servers.Connectors[i]; c.Server == "tomcat" && c.Name == name {
				c.Connections = count(bean, "connectionCount")
				c.KeepAlive = count(bean, "keepAliveCount")
				c.Most = count(bean, "maxConnections")
			}
		}
	})
	sortWorkerPools(s)
}

func decodeTomcatSessions(s *jvm.Snapshot, v value) {
	eachBean(v, func(key []byte, bean value) {
		keys := objectKeys(key)
		if keys["context"] == "" || !count(bean, "activeSessions").Known() {
			return
		}
		s.Servers.Sessions = append(s.Servers.Sessions, jvm.Sessions{
			Server:   "tomcat",
			Host:     keys["host"],
			Context:  keys["context"],
			Active:   count(bean, "activeSessions"),
			Created:  count(bean, "sessionCounter"),
			Expired:  count(bean, "expiredSessions"),
			Rejected: int32Counter(bean, "rejectedSessions"),
		})
	})
	sortSessions(s)
}

// hash is the end of what Java calls an object: another one after each start.
var hash = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`@[0-9a-f]+`) })

// decodeJettyThreads names a pool by its server without the hash, so that it has one name after each
// start, where there is only one such.
func decodeJettyThreads(s *jvm.Snapshot, v value) {
	times := map[string]int{}
	lasting := func(name string) string { return hash().ReplaceAllString(name, "") }
	eachBean(v, func(key []byte, bean value) {
		keys := objectKeys(key)
		name := keys["id"]
		if keys["context"] != "" {
			name = keys["context"] + "-" + name
		}
		s.Servers.WorkerPools = append(s.Servers.WorkerPools, jvm.WorkerPool{
			Server:  "jetty",
			Name:    name,
			Current: count(bean, "threads"),
			Busy:    count(bean, "busyThreads"),
			Max:     count(bean, "maxThreads"),
			Queued:  count(bean, "queueSize"),
		})
		times[lasting(name)]++
	})
	for i := range s.Servers.WorkerPools {
		if p := &s.Servers.WorkerPools[i]; p.Server == "jetty" && times[lasting(p.Name)] == 1 {
			p.Name = lasting(p.Name)
		}
	}
	sortWorkerPools(s)
}

func sortSessions(s *jvm.Snapshot) {
	slices.SortFunc(s.Servers.Sessions, func(a, b jvm.Sessions) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Context, b.Context))
	})
}

func sortConnectors(s *jvm.Snapshot) {
	slices.SortFunc(s.Servers.Connectors, func(a, b jvm.HTTPConnector) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Name, b.Name))
	})
}

func sortWorkerPools(s *jvm.Snapshot) {
	slices.SortFunc(s.Servers.WorkerPools, func(a, b jvm.WorkerPool) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Name, b.Name))
	})
}
