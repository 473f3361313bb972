package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
)

// post sends an empty POST and gives the status.
func (r *running) post(t *testing.T, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// TestHangUpAtTheStart: a SIGHUP that comes while the first configuration is being read has it
// read again, and ends nothing.
func TestHangUpAtTheStart(t *testing.T) {
	agent, dir := recordedAgent(t), t.TempDir()
	file, next := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "next.yaml")
	base := "targets: [{url: '" + agent.URL + "'}]\n"
	require.NoError(t, syscall.Mkfifo(file, 0o600))
	require.NoError(t, os.WriteFile(next, []byte("targets: [{url: '"+agent.URL+"'}, {url: '"+agent.URL+"', name: another}]\n"), 0o600))
	go func() {
		pipe, err := os.OpenFile(file, os.O_WRONLY, 0) // until the sidecar reads it
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		assert.NoError(t, os.Rename(next, file))
		_, err = pipe.WriteString(base)
		assert.NoError(t, err)
		assert.NoError(t, pipe.Close())
	}()
	r := start(t, "--config", file, "--data-dir", filepath.Join(dir, "data"))
	assert.Eventually(t, func() bool {
		_, body := r.get(t, "metrics")
		return regexp.MustCompile(`(?m)^apm_sidecar_targets 2$`).MatchString(body)
	}, time.Minute, 50*time.Millisecond, "the second configuration is not read")
	r.end(t)
}

// TestReloadKeepsTheLastGoodConfiguration: targets of the file and of discovery come
// and go under a running sidecar, and a faulty file changes nothing.
func TestReloadKeepsTheLastGoodConfiguration(t *testing.T) {
	agent := recordedAgent(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	file, found := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "found.json")
	write := func(name, content string) { require.NoError(t, os.WriteFile(name, []byte(content), 0o600)) }
	static := func(name string) string {
		return "targets: [{url: '" + agent.URL + "', name: " + name + "}]\ninterval: 200ms\nremote_write: ['" + receiver.URL + "']\n"
	}
	write(found, `[{"targets": ["`+agent.Listener.Addr().String()+`"]}]`)
	write(file, static("one")+"discovery: [{job_name: found, file_sd_configs: [{files: ['"+found+"']}]}]\n")
	r := start(t, "--config", file, "--data-dir", filepath.Join(dir, "data"))
	shows := func(pattern string) {
		t.Helper()
		assert.Eventually(t, func() bool {
			_, body := r.get(t, "api/targets")
			return regexp.MustCompile(pattern).MatchString(body)
		}, time.Minute, 50*time.Millisecond, pattern)
	}
	shows(`"name":"found/[^"]+".*"state":"up".*"name":"one/[^"]+".*"state":"up"`)
	_, page := r.get(t, "targets")
	assert.Contains(t, page, "2 of 2 up")

	write(file, static("two"))
	assert.Equal(t, http.StatusOK, r.post(t, "-/reload"))
	shows(`^\{"targets":\[\{"name":"two/[^"]+"[^{]+\{\},"state":"up"[^{]+\]\}`)

	write(file, "targets: [{url: 'http://bob:s3cret@h/', nme: x}]\n")
	assert.Equal(t, http.StatusBadRequest, r.post(t, "-/reload"))
	shows(`"name":"two/`)
	_, metrics := r.get(t, "metrics")
	assert.Contains(t, metrics, "apm_sidecar_config_reload_success 0\n")
	assert.Contains(t, metrics, "apm_sidecar_targets 1\n")
	for _, path := range []string{"targets", ""} {
		_, page := r.get(t, path)
		assert.Regexp(t, `is refused, the last good one of [-0-9: ]+ stays: .*nme`, page)
		assert.NotContains(t, page, "s3cret")
	}

	write(file, static("three"))
	shows(`"name":"three/`) // by itself, as the file has changed
	r.end(t)
}

// lookingAround is a reader of metrics that asks for something else of the steering meanwhile.
type lookingAround struct{ look func() }

func (l lookingAround) Write(p []byte) (int, error) {
	l.look()
	return len(p), nil
}

// TestASlowReaderOfMetricsHoldsUpNobody: changes of the configuration do not wait until all is sent.
func TestASlowReaderOfMetricsHoldsUpNobody(t *testing.T) {
	watched := agent.New(agent.Options{})
	s := &steering{watch: func() *agent.Agent { return watched }}
	asked := false
	s.WriteMetrics(lookingAround{func() { asked = s.notes() == nil }})
	assert.True(t, asked)
}
