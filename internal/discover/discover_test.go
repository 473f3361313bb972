package discover_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/discover"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// jobs reads them as the configuration does.
func jobs(t *testing.T, text string) []discover.Job {
	t.Helper()
	var out []discover.Job
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(text), &out, yaml.Strict()))
	for i := range out {
		require.NoError(t, out[i].Validate())
	}
	return out
}

// run starts a discoverer until the test ends.
func run(t *testing.T, text string) *discover.Discoverer {
	t.Helper()
	d, err := discover.New(jobs(t, text), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	return d
}

func names(targets []jvm.Target) []string {
	out := []string{}
	for _, target := range targets {
		out = append(out, target.Name()+" "+target.URL)
	}
	slices.Sort(out)
	return out
}

func eventually(t *testing.T, d *discover.Discoverer, want ...string) {
	t.Helper()
	assert.Eventually(t, func() bool { return slices.Equal(names(d.Targets()), want) }, time.Minute, 20*time.Millisecond,
		"want %v", want)
	if t.Failed() {
		t.Log(names(d.Targets()))
	}
}

func TestFilesAreWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("a.yaml", "- targets: [one:8778, 'https://two/actuator/jolokia']\n  labels: {env: prod, job: shop}\n")
	write("b.json", `[{"targets": ["three:1"]}]`)
	d := run(t, fmt.Sprintf(`
- job_name: files
  file_sd_configs: [{files: ['%s/*.yaml', '%s/*.json']}]
  username: bob
  password_file: /p
`, dir, dir))
	eventually(t, d, "files/three:1 http://three:1/jolokia/", "shop/one:8778 http://one:8778/jolokia/", "shop/two https://two/actuator/jolokia/")
	one := d.Targets()[slices.IndexFunc(d.Targets(), func(x jvm.Target) bool { return x.Instance == "one:8778" })]
	assert.Equal(t, map[string]string{"env": "prod"}, one.Labels)
	assert.Equal(t, jvm.Credentials{Username: "bob", PasswordFile: "/p"}, one.Credentials)
	assert.True(t, d.Settled())

	write("b.json", `[{"targets": [`)
	write("a.yaml", "[]")
	assert.Never(t, func() bool { return len(d.Targets()) != 3 }, 6*time.Second, 100*time.Millisecond, "a broken file changes nothing")
	var text bytes.Buffer
	d.WriteMetrics(&text)
	assert.Contains(t, text.String(), `apm_sidecar_discovered_targets{job="files",source="file0"} 3`)
	assert.Contains(t, text.String(), `apm_sidecar_discovery_errors_total{job="files",source="file0"} `)
	write("b.json", `[{"targets": ["three:1"]}]`)
	eventually(t, d, "files/three:1 http://three:1/jolokia/")
}

func TestRelabellingNamesAndDrops(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "t.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"targets": ["a:1", "b:1", "not a host"], "labels": {"__meta_tier": "web"}}]`), 0o600))
	d := run(t, `
- job_name: j
  file_sd_configs: [{files: ['`+file+`']}]
  relabel_configs:
    - {source_labels: [__address__], regex: 'b:.*', action: drop}
    - {source_labels: [__address__], regex: '(.*):1', target_label: __address__, replacement: '${1}:8778'}
    - {source_labels: [__meta_tier], target_label: job}
    - {target_label: __scheme__, replacement: https}
    - {target_label: __metrics_path__, replacement: /x}
    - {target_label: instance, replacement: first}
`)
	eventually(t, d, "web/first https://a:8778/x/")
}

func TestHTTPKeepsTheLastGoodAnswer(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if broken.Load() || user+":"+password != "u:p" {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode([]map[string]any{{"targets": []string{"one:1"}, "labels": map[string]string{"env": "x"}}})
	}))
	defer server.Close()
	d := run(t, "- job_name: h\n  http_sd_configs: [{url: '"+server.URL+"', basic_auth: {username: u, password: p}}]\n")
	eventually(t, d, "h/one:1 http://one:1/jolokia/")
}

func TestErrorsOfHTTPShowNoQuery(t *testing.T) {
	t.Parallel()
	logs, out := io.Pipe()
	found := jobs(t, "- {job_name: h, http_sd_configs: [{url: 'http://bob:s3cret@127.0.0.1:1/x?k=s3cret'}]}")
	d, err := discover.New(found, slog.New(slog.NewTextHandler(out, nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	line, err := bufio.NewReader(logs).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "127.0.0.1:1/x?masked")
	assert.NotContains(t, line, "s3cret")
	cancel()
	require.NoError(t, logs.Close())
	require.NoError(t, <-ended)
}

func TestDNS(t *testing.T) {
	t.Parallel()
	d := run(t, "- job_name: d\n  dns_sd_configs: [{names: [localhost], type: A, port: 8778}]\n")
	eventually(t, d, "d/127.0.0.1:8778 http://127.0.0.1:8778/jolokia/")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- file_sd_configs: [{files: [x]}]":                                                                          "job_name is missing",
		"- job_name: j":                                                                                              "no source",
		"- {job_name: j, file_sd_configs: [{}]}":                                                                     "file_sd_configs[0]: files is empty",
		"- {job_name: j, dns_sd_configs: [{names: [x], type: A}]}":                                                   "needs a port",
		"- {job_name: j, dns_sd_configs: [{names: [x], type: MX}]}":                                                  "none of SRV, A and AAAA",
		"- {job_name: j, http_sd_configs: [{}]}":                                                                     "url is missing",
		"- {job_name: j, kubernetes_sd_configs: [{role: pods}]}":                                                     "write one of pod,",
		"- {job_name: j, http_sd_configs: [{url: 'http://h/', refresh_interval: 10ms}]}":                             "http_sd_configs[0]: refresh_interval 10ms is shorter than 1s",
		"- {job_name: j, dns_sd_configs: [{names: [x], refresh_interval: 10ms}]}":                                    "refresh_interval 10ms",
		"- {job_name: j, file_sd_configs: [{files: [x], refresh_interval: 10ms}]}":                                   "refresh_interval 10ms",
		"- {job_name: j, local_sd_configs: [{}], username: u}":                                                       "belong together",
		"- {job_name: j, local_sd_configs: [{}], relabel_configs: [{action: dance}]}":                                "dance",
		"- {job_name: j, local_sd_configs: [{}], relabel_configs: [{regex: '(', action: drop, source_labels: [a]}]}": "regex",
	} {
		var out []discover.Job
		require.NoError(t, yaml.UnmarshalWithOptions([]byte(text), &out, yaml.Strict()), text)
		assert.ErrorContains(t, out[0].Validate(), want, text)
	}
}

// Without it this source is asked each half a minute.
func TestRefreshIntervalIsKept(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		_, _ = io.WriteString(w, `[{"targets":["a:1"]}]`)
	}))
	t.Cleanup(server.Close)
	run(t, "- {job_name: j, http_sd_configs: [{url: '"+server.URL+"', refresh_interval: 1s}]}")
	within := time.After(25 * time.Second)
	for range 2 {
		select {
		case <-asked:
		case <-within:
			t.Fatal("the source was not asked again")
		}
	}
}

func TestShardsSplitAllAndMoveNothing(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for i := range 3000 {
		target := jvm.Target{URL: fmt.Sprintf("http://10.0.%d.%d:8778/jolokia/", i/250, i%250)}
		owners := 0
		for _, text := range []string{"1/3", "2/3", "3/3"} {
			var s discover.Shard
			require.NoError(t, s.Set(text))
			assert.Equal(t, text, s.String())
			if s.Has(target) {
				owners++
				counts[text]++
			}
		}
		require.Equal(t, 1, owners)
	}
	for text, n := range counts {
		assert.InDelta(t, 1000, n, 150, text)
	}
	assert.True(t, discover.Shard{}.Has(jvm.Target{}))
	for _, bad := range []string{"0/3", "4/3", "1", "x/y", "1/3/4", "1/3 x", "-1/2"} {
		var s discover.Shard
		assert.Error(t, s.Set(bad), bad)
	}
}
