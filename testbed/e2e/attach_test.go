package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// idleSource is a program that waits.
const idleSource = `public class Idle {
    public static void main(String[] args) throws Exception {
        System.out.println("ready");
        Thread.sleep(Long.MAX_VALUE);
    }
}
`

// sidecarOutput runs a command of the sidecar to its end and returns its standard
// output, followed by its standard error where it fails.
func sidecarOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := harness.Program("apm-sidecar")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		out = append(out, exit.Stderr...)
	}
	return string(out), err
}

// patientConfig is a configuration file for one target whose answers may take long, as they
// do on a busy machine when a JVM is asked for the first time.
func patientConfig(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "patient.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "targets: [{url: %q, timeout: %v}]\n", url, patience/2), 0o600))
	return file
}

// startIdle starts the program and returns its process.
func startIdle(t *testing.T, bench *harness.Bench, dir string, options ...string) *harness.Process {
	t.Helper()
	source := filepath.Join(dir, "Idle.java")
	require.NoError(t, os.WriteFile(source, []byte(idleSource), 0o600))
	idle, err := bench.Start(t.Context(), harness.Command{Name: "idle", Path: "java", Args: append(options, source)})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = idle.AwaitOutput(ctx, regexp.MustCompile("ready"))
	require.NoError(t, err)
	return idle
}

// TestDoctorOfACarelessAgent: an agent with its defaults serves one client at a time
// and lets everyone do everything.
func TestDoctorOfACarelessAgent(t *testing.T) {
	bench := newBench(t)
	dir, err := bench.Folder("careless")
	require.NoError(t, err)
	agent, err := harness.JolokiaAgent()
	require.NoError(t, err)
	idle := startIdle(t, bench, dir, "-javaagent:"+agent+"=port=0,host=127.0.0.1")
	url, err := idle.AwaitOutput(t.Context(), regexp.MustCompile(`URL (http://\S+)\s`))
	require.NoError(t, err)
	out, err := sidecarOutput(t, "doctor", "--config", patientConfig(t, url[1]))
	require.NoError(t, err, out)
	assert.Contains(t, out, "lets whoever it answers exec, write, read, search any MBean")
	assert.Contains(t, out, "executor=fixed")
	assert.Contains(t, out, "server.tomcat.mbeanregistry.enabled")
}

// TestAttachUnderTheOwnPolicy: the sidecar loads the agent into a JVM that runs
// already, under the policy that it prints itself, finds it among the processes of
// this host, and gets all it asks for; and nobody gets more.
func TestAttachUnderTheOwnPolicy(t *testing.T) {
	bench := newBench(t)
	dir, err := bench.Folder("idle")
	require.NoError(t, err)
	idle := startIdle(t, bench, dir)
	pid := strconv.Itoa(idle.PID())

	policy, err := sidecarOutput(t, "policy")
	require.NoError(t, err, policy)
	policyFile := filepath.Join(dir, "jolokia-access.xml")
	require.NoError(t, os.WriteFile(policyFile, []byte(policy), 0o600))
	agent, err := harness.JolokiaAgent()
	require.NoError(t, err)

	out, err := sidecarOutput(t, "attach")
	require.NoError(t, err, out)
	assert.Regexp(t, "(?m)^"+pid+"\t.*no JVM agent$", out)
	out, err = sidecarOutput(t, "attach", pid, "--agent", "/nonexistent.jar")
	require.Error(t, err)
	assert.Contains(t, out, "does not see the agent")
	out, err = sidecarOutput(t, "attach", pid, "--agent", policyFile)
	require.Error(t, err, "no agent")
	assert.Contains(t, out, "cannot open the agent")
	self := strconv.Itoa(os.Getpid())
	_ = os.Remove(filepath.Join(os.TempDir(), ".java_pid"+self)) // of a JVM that had this number before
	out, err = sidecarOutput(t, "attach", self, "--agent", agent)
	require.Error(t, err)
	assert.Contains(t, out, "is no running HotSpot JVM")

	out, err = sidecarOutput(t, "attach", pid, "--agent", agent, "--options",
		"port=0,host=127.0.0.1,executor=fixed,policyLocation=file://"+policyFile)
	require.NoError(t, err, out)
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/jolokia`).FindString(out)
	require.NotEmpty(t, url, out)
	out, err = sidecarOutput(t, "attach")
	require.NoError(t, err, out)
	assert.Regexp(t, "(?m)^"+pid+"\t.*"+regexp.QuoteMeta(url)+"$", out, "found on a port that nobody knew before")

	program, err := harness.Program("apm-sidecar")
	require.NoError(t, err)
	all, err := exec.CommandContext(t.Context(), program, "once", "--config", patientConfig(t, url)).CombinedOutput()
	out = string(all)
	require.NoError(t, err, out)
	assert.Contains(t, out, "jvm_memory_pool_used_bytes{")
	assert.NotContains(t, out, "cannot be read", "the policy allows whatever a poll reads")

	out, err = sidecarOutput(t, "doctor", "--config", patientConfig(t, url))
	require.NoError(t, err, out)
	assert.Contains(t, out, "ok    Jolokia 2.")
	assert.Contains(t, out, "the agent's policy allows no more than it must")
	assert.NotContains(t, out, "  warn  ")

	ask := func(body string) string {
		resp, err := http.Post(url+"/", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer func() { assert.NoError(t, resp.Body.Close()) }()
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(answer)
	}
	for name, body := range map[string]string{
		"secrets":   `{"type":"read","mbean":"java.lang:type=Runtime","attribute":["SystemProperties"]}`,
		"write":     `{"type":"write","mbean":"java.lang:type=Memory","attribute":"Verbose","value":true}`,
		"operation": `{"type":"exec","mbean":"java.lang:type=Memory","operation":"gc"}`,
		"search":    `{"type":"search","mbean":"*:*"}`,
		"list":      `{"type":"list"}`,
	} {
		assert.Contains(t, ask(body), `"status":403`, name)
	}
	for _, allowed := range []string{
		`{"type":"exec","mbean":"com.sun.management:type=DiagnosticCommand","operation":"gcFinalizerInfo"}`,
		`{"type":"exec","mbean":"java.lang:type=Threading","operation":"getThreadInfo([J,int)","arguments":[[1],0]}`,
		`{"type":"exec","mbean":"java.lang:type=Threading","operation":"findDeadlockedThreads()"}`,
		fmt.Sprintf(`{"type":"exec","mbean":"com.sun.management:type=HotSpotDiagnostic","operation":"dumpHeap(java.lang.String,boolean)","arguments":[%q,true]}`, filepath.Join(dir, "x.hprof")),
	} {
		answer := ask(allowed)
		assert.Contains(t, answer, `"status":200`, allowed)
	}
}
