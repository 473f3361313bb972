package jmx_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// wildfly26 is what WildFly 26.1.3 answers, with its statistics on or off.
func wildfly26(statistics string) map[string]string {
	return map[string]string{
		"jboss.as:subsystem=undertow*": `{"status":200,"value":{"jboss.as:subsystem=undertow":{"statisticsEnabled":` + statistics + `}}}`,
		"jboss.as:subsystem=undertow,server=*,http-listener=*": `{"status":200,"value":{"jboss.as:server=default-server,http-listener=default,subsystem=undertow":{
			"requestCount":9,"errorCount":1,"processingTime":5000000,"maxProcessingTime":4000000,"bytesReceived":7,"bytesSent":8}}}`,
		"jboss.as:subsystem=undertow,server=*,https-listener=*": `{"status":200,"value":{"jboss.as:server=default-server,https-listener=https,subsystem=undertow":{"requestCount":2}}}`,
		"jboss.as:subsystem=undertow,deployment=*": `{"status":200,"value":{
			"jboss.as:deployment=shop.war,subsystem=undertow":{"contextRoot":"/shop","virtualHost":"default-host","activeSessions":3,"sessionsCreated":30,"expiredSessions":27,"rejectedSessions":0},
			"jboss.as:deployment=jobs.jar,subsystem=undertow":{"contextRoot":null}}}`,
		"jboss.as:subsystem=undertow,deployment=*,subdeployment=*": `{"status":200,"value":{
			"jboss.as:deployment=bank.ear,subdeployment=teller.war,subsystem=undertow":{"contextRoot":"/teller","virtualHost":"default-host","activeSessions":1}}}`,
		"jboss.as:subsystem=datasources,data-source=*,statistics=pool": `{"status":200,"value":{"jboss.as:data-source=ExampleDS,statistics=pool,subsystem=datasources":{
			"statisticsEnabled":` + statistics + `,"InUseCount":2,"IdleCount":3,"AvailableCount":18,"CreatedCount":6,"DestroyedCount":1}}}`,
		"org.xnio:type=Xnio,provider=*,worker=*": `{"status":200,"value":{"org.xnio:provider=\"nio\",type=Xnio,worker=\"default\"":{
			"WorkerPoolSize":5,"BusyWorkerThreadCount":4,"MaxWorkerPoolSize":32,"WorkerQueueSize":1}}}`,
	}
}

func TestWildFly(t *testing.T) {
	t.Parallel()
	s, err := client(t, newFake(t, answering(wildfly26("true"))).URL).Poll(t.Context())
	require.NoError(t, err)
	assert.False(t, s.Servers.Uncounted)
	require.Len(t, s.Servers.Connectors, 2)
	assert.Equal(t, "default-server-default", s.Servers.Connectors[0].Name)
	assert.Equal(t, jvm.Some[int64](9), s.Servers.Connectors[0].Requests)
	assert.Equal(t, jvm.Some[int64](5_000_000), s.Servers.Connectors[0].BusyNs)
	assert.Equal(t, "default-server-https", s.Servers.Connectors[1].Name)
	require.Len(t, s.Servers.Sessions, 2, "what has no sessions has none")
	assert.Equal(t, jvm.Sessions{Server: "undertow", Host: "default-host", Context: "/shop", Active: jvm.Some[int64](3),
		Created: jvm.Some[int64](30), Expired: jvm.Some[int64](27), Rejected: jvm.Some[int64](0)}, s.Servers.Sessions[0])
	assert.Equal(t, "/teller", s.Servers.Sessions[1].Context, "an application of an EAR")
	assert.Equal(t, []jvm.JDBCPool{{Kind: "wildfly", Name: "ExampleDS", Used: jvm.Some[int64](2), Idle: jvm.Some[int64](3), Max: jvm.Some[int64](20),
		Created: jvm.Some[int64](6), Destroyed: jvm.Some[int64](1)}}, s.Servers.JDBCPools)
	assert.Equal(t, []jvm.WorkerPool{{Server: "undertow", Name: "default", Current: jvm.Some[int64](5), Busy: jvm.Some[int64](4),
		Max: jvm.Some[int64](32), Queued: jvm.Some[int64](1)}}, s.Servers.WorkerPools)
}

// Statistics that are off leave counters at 0, which is not what they count.
func TestWildFlyWithoutStatistics(t *testing.T) {
	t.Parallel()
	s, err := client(t, newFake(t, answering(wildfly26("false"))).URL).Poll(t.Context())
	require.NoError(t, err)
	assert.True(t, s.Servers.Uncounted)
	assert.Empty(t, s.Servers.Connectors)
	assert.Empty(t, s.Servers.JDBCPools)
	assert.Len(t, s.Servers.Sessions, 2, "these are counted always")
	assert.Len(t, s.Servers.WorkerPools, 1)
}

// Each look at requests would take WildFly 0.3 s and more than a tenth of a processor if it asked
// for names of any domain that may have any keys.
func TestLooksNameAllKeysOfNamesOfAnyDomain(t *testing.T) {
	t.Parallel()
	agent := newFake(t, answering(nil))
	_, err := client(t, agent.URL).Requests(t.Context(), nil)
	require.NoError(t, err)
	asked := agent.asked()[0]
	assert.NotEmpty(t, asked)
	for _, it := range asked {
		assert.False(t, strings.HasPrefix(it.MBean, "*:") && strings.HasSuffix(it.MBean, ",*"), it.MBean)
	}
}
