package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// TestAgentAsWebApplication: Jolokia as a WAR and as a servlet at Spring Boot's path
// tell as much as the agent in the JVM does, to whoever has the password.
func TestAgentAsWebApplication(t *testing.T) {
	jdks := []jdk{defaultJDK(t)}
	if full() {
		jdks = findJDKs(t)
	}
	for _, j := range jdks {
		t.Run("war/"+j.name, func(t *testing.T) { testAgent(t, (*harness.Bench).StartAgentWar, j, "1.7.1") }) // 1.7.2 calls itself so
		if j.version >= 17 {
			t.Run("servlet/"+j.name, func(t *testing.T) { testAgent(t, (*harness.Bench).StartAgentServlet, j, "2.6.0") })
		}
	}
}

func testAgent(t *testing.T, start func(*harness.Bench, context.Context, string) (*harness.AgentWebApp, error), j jdk, version string) {
	t.Helper()
	bench := newBench(t)
	app, err := start(bench, t.Context(), j.java)
	require.NoError(t, err)
	target, err := jvm.ParseTarget(app.URL)
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "password")
	target.Credentials = jvm.Credentials{Username: app.User, PasswordFile: file}
	client := jmx.New(target, jmx.Options{Timeout: time.Minute})
	t.Cleanup(client.Close)
	require.NoError(t, os.WriteFile(file, []byte("guessed"), 0o600))
	_, err = client.Poll(t.Context())
	assert.Equal(t, "http_401", jmx.Reason(err), "%v", err)
	require.NoError(t, os.WriteFile(file, []byte(app.Password+"\n"), 0o600))

	agent, err := client.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, version, agent.Version)
	snapshot, err := client.Poll(t.Context())
	require.NoError(t, err)
	assert.Empty(t, snapshot.Missing)
	assert.Positive(t, snapshot.Memory.Heap.Used.Or(0))
	assert.GreaterOrEqual(t, len(snapshot.Pools), 5)
	assert.NotEmpty(t, snapshot.GCs)
	require.Len(t, snapshot.Servers.Connectors, 1, "Tomcat's own MBeans")
	assert.Positive(t, snapshot.Servers.Connectors[0].Requests.Or(0))

	details, err := client.Details(t.Context())
	require.NoError(t, err)
	assert.Empty(t, details.Missing)
	threads, err := client.ThreadStates(t.Context(), details.ThreadIDs)
	require.NoError(t, err)
	assert.Empty(t, threads.Missing)
	assert.Positive(t, threads.Count["RUNNABLE"])
	_, err = client.FinalizerThread(t.Context(), details.ThreadIDs)
	require.NoError(t, err)
	_, err = client.FinalizerQueue(t.Context())
	require.NoError(t, err)
	histogram, err := client.ClassHistogram(t.Context())
	require.NoError(t, err)
	assert.Positive(t, histogram.Objects)
	requests, err := client.Requests(t.Context(), nil)
	require.NoError(t, err)
	assert.NotEmpty(t, requests.Processors, "its own request is one of Tomcat's")
}
