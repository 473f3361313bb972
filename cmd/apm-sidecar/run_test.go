package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/discover"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// running is a sidecar under way in this process.
type running struct {
	url  string
	stop context.CancelFunc
	code chan exitCode
}

// start runs the sidecar and waits until it listens.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel, code: make(chan exitCode, 1)}
	logs, stderr := io.Pipe()
	logged := make(chan struct{}) // closed once all of the log is in the test's output
	env := environment{stdout: io.Discard, stderr: stderr, getenv: func(string) string { return "" }}
	go func() {
		code := run(ctx, env, append([]string{"run", "--listen", "127.0.0.1:0"}, args...))
		_ = stderr.Close()
		<-logged
		r.code <- code
	}()
	urls := make(chan string, 1)
	go func() {
		defer close(logged)
		lines := bufio.NewScanner(logs)
		for lines.Scan() {
			if m := regexp.MustCompile(`msg=listening addr=\S+ url=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				urls <- m[1]
			}
			fmt.Fprintln(t.Output(), lines.Text())
		}
	}()
	select {
	case r.url = <-urls:
	case code := <-r.code:
		t.Fatalf("the sidecar ended with %d", code)
	case <-time.After(time.Minute):
		t.Fatal("the sidecar does not listen")
	}
	return r
}

// end stops it and checks how.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case code := <-r.code:
		assert.Equal(t, exitOK, code)
	case <-time.After(time.Minute):
		t.Fatal("SIGTERM is not obeyed in time")
	}
}

// get is the status and body of a page.
func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// alerts are the names and instances of those that there are. Their evaluation has no fault.
func (r *running) alerts(t *testing.T) []string {
	t.Helper()
	_, body := r.get(t, "api/alerts")
	var got struct {
		Alerts []struct{ Labels map[string]string }
		Faults []string
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.NotNil(t, got.Alerts)
	assert.Equal(t, []string{}, got.Faults)
	names := []string{}
	for _, a := range got.Alerts {
		names = append(names, a.Labels["alertname"]+" "+a.Labels["instance"])
	}
	return names
}

// TestRunStoresAndServes: from the poll to the query API, and again after a
// restart on the same folder. One test, because a process has one store.
func TestRunStoresAndServes(t *testing.T) {
	agent := recordedAgent(t)
	data := t.TempDir()
	for range 2 {
		r := start(t, "--target", agent.URL+"/jolokia", "--target", "http://127.0.0.1:1/", "--interval", "200ms", "--data-dir", data)
		require.Eventually(t, func() bool {
			code, _ := r.get(t, "-/ready")
			return code == http.StatusOK
		}, time.Minute, 20*time.Millisecond, "each target has been polled")
		assert.Eventually(t, func() bool {
			_, body := r.get(t, "api/v1/query?query=count(jvm_memory_pool_used_bytes)")
			return regexp.MustCompile(`"value":\[[0-9.]+,"8"\]`).MatchString(body)
		}, time.Minute, 100*time.Millisecond, "eight pools must be stored")
		assert.Eventually(t, func() bool {
			_, body := r.get(t, `api/v1/query?query=up==0`)
			return regexp.MustCompile(`127.0.0.1:1"`).MatchString(body)
		}, time.Minute, 100*time.Millisecond, "the dead target must be known as dead")
		code, _ := r.get(t, "-/healthy")
		assert.Equal(t, http.StatusOK, code)
		_, body := r.get(t, "metrics")
		assert.Regexp(t, `apm_sidecar_target_up\{job="jvm",instance="127.0.0.1:\d\d+"\} 1`, body)
		assert.Contains(t, body, `apm_sidecar_poll_errors_total{job="jvm",instance="127.0.0.1:1",reason="dial"}`)
		assert.Contains(t, body, "apm_sidecar_push_samples_total")
		assert.Contains(t, body, "apm_sidecar_build_info{")
		assert.Contains(t, body, "\ngo_goroutines ")
		assert.Contains(t, body, "\nprocess_resident_memory_bytes ")
		assert.Eventually(t, func() bool {
			_, body := r.get(t, `api/v1/query?query=apm_sidecar_push_queue_bytes{job="apm-sidecar"}`)
			return strings.Contains(body, `"url":"embedded"`)
		}, time.Minute, 100*time.Millisecond, "its own metrics must be stored")
		assert.Subset(t, []string{"TargetDown 127.0.0.1:1"}, r.alerts(t), "in good time none")
		code, _ = r.get(t, "vmui/")
		assert.Equal(t, http.StatusOK, code)
		r.end(t)
	}
}

// TestRunRemoteWrite: receivers replace the embedded store.
func TestRunRemoteWrite(t *testing.T) {
	agent := recordedAgent(t)
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got.Add(n)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	data := t.TempDir()
	r := start(t, "--target", agent.URL, "--interval", "200ms", "--data-dir", data, "--remote-write", receiver.URL)
	assert.Eventually(t, func() bool { return got.Load() > 500 }, time.Minute, 50*time.Millisecond)
	code, _ := r.get(t, "api/v1/query?query=up")
	assert.Equal(t, http.StatusNotFound, code)
	assert.NoDirExists(t, filepath.Join(data, "store"))
	r.end(t)
}

func TestRunEndsWithAClearError(t *testing.T) {
	var stderr safeBuffer
	env := environment{stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	agent := recordedAgent(t)
	taken := agent.Listener.Addr().String()
	code := run(t.Context(), env, []string{"run", "--target", agent.URL, "--listen", taken, "--data-dir", t.TempDir()})
	assert.Equal(t, exitError, code)
	assert.Contains(t, stderr.String(), "choose another address by --listen")
}

func TestRunNamesTheFlagOfAFolderItCannotUse(t *testing.T) {
	var stderr safeBuffer
	env := environment{stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, more := range [][]string{nil, {"--remote-write", "http://127.0.0.1:1/"}} {
		args := append([]string{"run", "--target", "http://127.0.0.1:1/", "--listen", "127.0.0.1:0", "--data-dir", file}, more...)
		assert.Equal(t, exitError, run(t.Context(), env, args))
	}
	assert.Equal(t, 2, strings.Count(stderr.String(), "data folder "+file+" (--data-dir gives another)"), stderr.String())
}

func TestPageURL(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "http://127.0.0.1:1/", pageURL("http", "127.0.0.1:1"))
	assert.Equal(t, "http://localhost:1/", pageURL("http", "0.0.0.0:1"))
	assert.Equal(t, "http://localhost:1/", pageURL("http", "[::]:1"))
	assert.Equal(t, "http://[::1]:1/", pageURL("http", "[::1]:1"))
	assert.Equal(t, "http://localhost:1/", pageURL("http", ":1"))
}

// TestAlertsLinkToThePortThatWasBound: port 0 takes any free one.
func TestAlertsLinkToThePortThatWasBound(t *testing.T) {
	type message struct {
		ExternalURL string
		Alerts      []struct{ GeneratorURL string }
	}
	told := make(chan message, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m message
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&m)) {
			told <- m
		}
	}))
	t.Cleanup(hook.Close)
	dir := t.TempDir()
	rules, file := filepath.Join(dir, "rules.yml"), filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(rules, []byte("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1)}]}]"), 0o600))
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil,
		"targets: [{url: 'http://127.0.0.1:1/'}]\nalerting: {rules: [%q], group_wait: 1s, notifiers: [{type: webhook, url: %q}]}\n", rules, hook.URL), 0o600))
	r := start(t, "--config", file, "--data-dir", dir)
	select {
	case m := <-told:
		assert.Equal(t, r.url, m.ExternalURL+"/")
		require.Len(t, m.Alerts, 1)
		assert.True(t, strings.HasPrefix(m.Alerts[0].GeneratorURL, r.url+"alerts#"), m.Alerts[0].GeneratorURL)
	case <-time.After(time.Minute):
		t.Error("nobody is told")
	}
	r.end(t)
}

// TestExampleIsValidAndShowsTheDefaults keeps the help text true.
func TestExampleIsValidAndShowsTheDefaults(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "example.yaml")
	require.NoError(t, os.WriteFile(file, []byte(exampleConfig), 0o600))
	got, err := config.Load(file, func(string) string { return "" })
	require.NoError(t, err)
	require.NoError(t, got.Validate())
	want := config.Default()
	want.Targets = []config.Target{{URL: "http://127.0.0.1:8778/jolokia/", Name: "shop", Labels: map[string]string{"env": "prod"}}}
	want.Discovery, want.Databases = []discover.Job{}, []config.Database{}
	want.RemoteWrite, want.Web.Users = []config.RemoteWrite{}, []config.User{}
	want.Transactions.Routes, want.Transactions.Spans.Services = map[string]config.Duration{}, map[string]string{}
	want.Alerting.Rules, want.Alerting.Notifiers = []string{}, []config.Notifier{}
	assert.Equal(t, want, got)
	for _, field := range fieldsOf(reflect.TypeFor[config.Config]()) {
		assert.Contains(t, exampleConfig, field+":", "the help promises all fields")
	}
}

// fieldsOf are the names of all fields of our own types in a configuration.
func fieldsOf(kind reflect.Type) []string {
	switch {
	case kind.Kind() == reflect.Slice:
		return fieldsOf(kind.Elem())
	case kind.Kind() != reflect.Struct || !strings.Contains(kind.PkgPath(), "apm-sidecar"):
		return nil
	}
	var names []string
	for f := range kind.NumField() {
		if name := kind.Field(f).Tag.Get("yaml"); name != "" && name != ",inline" {
			names = append(append(names, name), fieldsOf(kind.Field(f).Type)...)
		}
	}
	return names
}

// TestOwnMetricsAreListed: what /metrics says of the sidecar itself is documented, and
// the other way round.
func TestOwnMetricsAreListed(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("targets: [{url: 'http://127.0.0.1:1/'}]\n"+
		"discovery: [{job_name: x, file_sd_configs: [{files: [/nonexistent/*.yaml]}]}]\nremote_write: ["+receiver.URL+"]\nembedded: true\ninterval: 100ms\n"+
		"alerting: {notifiers: [{type: webhook, name: chat, url: '"+receiver.URL+"'}]}\n"+
		"transactions: {spans: {listen: '127.0.0.1:0', export: {url: '"+receiver.URL+"'}}}\n"), 0o600))
	r := start(t, "--config", file, "--data-dir", filepath.Join(dir, "data"))
	listed := map[string]bool{}
	for _, m := range append(series.Own(), agent.OwnMetrics()...) {
		listed[m.Name] = true
	}
	// Some are made when they are first counted; samples that are refused never are here.
	written, missing := map[string]bool{"apm_sidecar_push_refused_samples_total": true}, []string{}
	assert.Eventually(t, func() bool {
		_, body := r.get(t, "/metrics")
		for name := range ownNames(body) {
			written[name] = true
		}
		missing = missing[:0]
		for _, m := range series.Own() {
			if !written[m.Name] {
				missing = append(missing, m.Name)
			}
		}
		return len(missing) == 0
	}, time.Minute, 50*time.Millisecond)
	r.end(t)
	assert.Empty(t, missing, "they are not written")
	for name := range written {
		assert.True(t, listed[name], "%s is not in series.Own", name)
	}
}

// ownNames are the names of the sidecar's own metrics in Prometheus' text form.
func ownNames(text string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		name := line[:strings.IndexAny(line, "{ \n")]
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		if strings.HasPrefix(name, "apm_sidecar_") {
			names[name] = true
		}
	}
	return names
}
