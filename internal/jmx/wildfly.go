package jmx

import (
	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// wildflyItems ask for what WildFly and JBoss EAP show of their model of management, and for
// the worker threads of Undertow, whoever started it. Where statistics are off, which is
// what they begin with, counters are there and stay 0: they are no values then. All names
// are patterns: of one that is none a policy that was made before refuses what is not there.
func wildflyItems() []item[jvm.Snapshot] {
	counters := []string{"requestCount", "errorCount", "processingTime", "maxProcessingTime", "bytesReceived", "bytesSent"}
	sessions := []string{"contextRoot", "virtualHost", "activeSessions", "sessionsCreated", "expiredSessions", "rejectedSessions"}
	pool := []string{"statisticsEnabled", "InUseCount", "IdleCount", "AvailableCount", "CreatedCount", "DestroyedCount"}
	return []item[jvm.Snapshot]{
		{read("jboss.as:subsystem=undertow*", "statisticsEnabled"), true, decodeUndertowStatistics},
		{read("jboss.as:subsystem=undertow,server=*,http-listener=*", counters...), true, decodeUndertow("http-listener")},
		{read("jboss.as:subsystem=undertow,server=*,https-listener=*", counters...), true, decodeUndertow("https-listener")},
		{read("jboss.as:subsystem=undertow,server=*,ajp-listener=*", counters...), true, decodeUndertow("ajp-listener")},
		{read("jboss.as:subsystem=undertow,deployment=*", sessions...), true, decodeWildflySessions},
		{read("jboss.as:subsystem=undertow,deployment=*,subdeployment=*", sessions...), true, decodeWildflySessions},
		{read("jboss.as:subsystem=datasources,data-source=*,statistics=pool", pool...), true, decodeWildflyPool("data-source")},
		{read("jboss.as:subsystem=datasources,xa-data-source=*,statistics=pool", pool...), true, decodeWildflyPool("xa-data-source")},
		{read("org.xnio:type=Xnio,provider=*,worker=*", "WorkerPoolSize", "BusyWorkerThreadCount", "MaxWorkerPoolSize", "WorkerQueueSize"), true, decodeXNIO},
	}
}

func decodeUndertowStatistics(s *jvm.Snapshot, v value) {
	eachBean(v, func(_ []byte, bean value) { s.Servers.Uncounted = isOff(bean) })
}

// isOff tells what has statistics and counts nothing.
func isOff(bean value) bool { return bean.get("statisticsEnabled").kind() == fastjson.TypeFalse }

func decodeUndertow(listener string) func(*jvm.Snapshot, value) {
	return func(s *jvm.Snapshot, v value) {
		if s.Servers.Uncounted {
			return
		}
		eachBean(v, func(name []byte, bean value) {
			keys := objectKeys(name)
			s.Servers.Connectors = append(s.Servers.Connectors, jvm.HTTPConnector{
				Server:        "undertow",
				Name:          keys["server"] + "-" + keys[listener],
				Requests:      count(bean, "requestCount"),
				Errors:        count(bean, "errorCount"),
				BusyNs:        count(bean, "processingTime"),
				MaxNs:         count(bean, "maxProcessingTime"),
				ReceivedBytes: count(bean, "bytesReceived"),
				SentBytes:     count(bean, "bytesSent"),
			})
		})
		sortConnectors(s)
	}
}

func decodeWildflySessions(s *jvm.Snapshot, v value) {
	eachBean(v, func(_ []byte, bean value) {
		if !count(bean, "activeSessions").Known() {
			return // no web application, or one without sessions
		}
		s.Servers.Sessions = append(s.Servers.Sessions, jvm.Sessions{
			Server:   "undertow",
			Host:     text(bean, "virtualHost"),
			Context:  text(bean, "contextRoot"),
			Active:   count(bean, "activeSessions"),
			Created:  count(bean, "sessionsCreated"),
			Expired:  count(bean, "expiredSessions"),
			Rejected: count(bean, "rejectedSessions"),
		})
	})
	sortSessions(s)
}

func decodeWildflyPool(source string) func(*jvm.Snapshot, value) {
	return func(s *jvm.Snapshot, v value) {
		eachBean(v, func(name []byte, bean value) {
			used, known := count(bean, "InUseCount").Get()
			available, limited := count(bean, "AvailableCount").Get()
			if !known || !limited || isOff(bean) {
				return
			}
			s.Servers.JDBCPools = append(s.Servers.JDBCPools, jvm.JDBCPool{
				Kind: "wildfly", Name: objectKeys(name)[source],
				Used: jvm.Some(used), Idle: count(bean, "IdleCount"), Max: jvm.Some(used + available),
				Created: count(bean, "CreatedCount"), Destroyed: count(bean, "DestroyedCount"),
			})
		})
		sortJDBCPools(s)
	}
}

func decodeXNIO(s *jvm.Snapshot, v value) {
	eachBean(v, func(name []byte, bean value) {
		if !count(bean, "BusyWorkerThreadCount").Known() {
			return
		}
		s.Servers.WorkerPools = append(s.Servers.WorkerPools, jvm.WorkerPool{
			Server:  "undertow",
			Name:    objectKeys(name)["worker"],
			Current: count(bean, "WorkerPoolSize"),
			Busy:    count(bean, "BusyWorkerThreadCount"),
			Max:     count(bean, "MaxWorkerPoolSize"),
			Queued:  count(bean, "WorkerQueueSize"),
		})
	})
	sortWorkerPools(s)
}
