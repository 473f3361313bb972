package discover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	write("a.yaml", "- targets: [one:8778]\n")
	both := []string{"files/one:8778 http://one:8778/jolokia/", "files/three:1 http://three:1/jolokia/"}
	eventually(t, d, both...)
	assert.Contains(t, strings.Join(d.Troubles(), ""), "b.json", "a broken file changes nothing of its own")
	var text bytes.Buffer
	d.WriteMetrics(&text)
	assert.Contains(t, text.String(), `apm_sidecar_discovered_targets{job="files",source="file0"} 2`)
	assert.NotContains(t, text.String(), `apm_sidecar_discovery_errors_total{job="files",source="file0"} 0`)
	require.NoError(t, os.Remove(filepath.Join(dir, "b.json")))
	eventually(t, d, both[0])
	assert.Empty(t, d.Troubles())
}

// A file that is named must be there, and a pipe is not waited for.
func TestFilesThatCannotBeReadKeepTheirTargets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, among := filepath.Join(dir, "plain.json"), filepath.Join(dir, "many", "a.json")
	require.NoError(t, os.Mkdir(filepath.Dir(among), 0o750))
	for _, name := range []string{plain, among} {
		require.NoError(t, os.WriteFile(name, []byte(`[{"targets": ["`+filepath.Base(name)+`:1"]}]`), 0o600))
	}
	d := run(t, `
- job_name: f
  file_sd_configs: [{files: ['`+plain+`', '`+filepath.Dir(among)+`/*.json'], refresh_interval: 1s}]
`)
	all := []string{"f/a.json:1 http://a.json:1/jolokia/", "f/plain.json:1 http://plain.json:1/jolokia/"}
	eventually(t, d, all...)
	for _, c := range []struct {
		what string
		do   func() error
		want string
	}{
		{"gone", func() error { return os.Remove(plain) }, "no such file"},
		{"a folder", func() error { return os.Mkdir(plain, 0o750) }, "is no file"},
		{"a pipe", func() error { return errors.Join(os.Remove(plain), syscall.Mkfifo(plain, 0o600)) }, "is no file"},
		{"well again", func() error {
			return errors.Join(os.Remove(plain), os.WriteFile(plain, []byte(`[{"targets": ["plain.json:1"]}]`), 0o600))
		}, ""},
		{"no folder", func() error { return os.RemoveAll(filepath.Dir(among)) }, "no such file"},
	} {
		require.NoError(t, c.do())
		assert.Eventually(t, func() bool {
			trouble := strings.Join(d.Troubles(), "")
			return c.want == "" && trouble == "" || c.want != "" && strings.Contains(trouble, c.want)
		}, time.Minute, 20*time.Millisecond, c.what)
		assert.Equal(t, all, names(d.Targets()), c.what)
	}
}

func TestWhatIsNoTargetIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "t.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"targets": ["a:1", "two words:1", "http://bob:s3cret@:0/"]}]`), 0o600))
	d := run(t, "- {job_name: j, file_sd_configs: [{files: ['"+file+"']}]}")
	eventually(t, d, "j/a:1 http://a:1/jolokia/")
	trouble := strings.Join(d.Troubles(), "")
	assert.Contains(t, trouble, "2 of 3 entries are no targets, as ")
	assert.NotContains(t, trouble, "s3cret")
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

// A resolver that never answers delays no end. Not parallel: the resolver is everybody's.
func TestDNSThatNeverAnswersDelaysNoEnd(t *testing.T) {
	asked, gaveUp := make(chan struct{}, 100), make(chan error, 100)
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		asked <- struct{}{}
		<-ctx.Done()
		gaveUp <- ctx.Err()
		return nil, ctx.Err()
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
	d, err := discover.New(jobs(t, "- job_name: d\n  dns_sd_configs: [{names: [shop.example], type: A, port: 1}]\n"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-asked
	cancel()
	require.NoError(t, <-ended)
	assert.ErrorIs(t, <-gaveUp, context.Canceled, "it waited until the resolver's time was over")
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
		"- {job_name: j, kubernetes_sd_configs: [{role: pod, api_server: 'https://u:se/cret@h'}]}":                   "kubernetes_sd_configs[0]: api_server is no http or https URL",
		"- {job_name: j, kubernetes_sd_configs: [{role: pod, api_server: 'h h:6443'}]}":                              "api_server is no",
		"- {job_name: j, kubernetes_sd_configs: [{role: pod, namespaces: {names: [a, '100%']}}]}":                    `namespaces: "100%" is no name`,
		"- {job_name: j, http_sd_configs: [{url: 'http://u:se/cret@h/'}]}":                                           "http_sd_configs[0]: url is no http or https URL",
		"- {job_name: j, http_sd_configs: [{url: 'h/jvms'}]}":                                                        "url is no",
		"- {job_name: j, http_sd_configs: [{url: 'http://h/', refresh_interval: 10ms}]}":                             "http_sd_configs[0]: refresh_interval 10ms is shorter than 1s",
		"- {job_name: j, dns_sd_configs: [{names: [x], refresh_interval: 10ms}]}":                                    "refresh_interval 10ms",
		"- {job_name: j, file_sd_configs: [{files: [x], refresh_interval: 10ms}]}":                                   "refresh_interval 10ms",
		"- {job_name: j, local_sd_configs: [{}], username: u}":                                                       "belong together",
		"- {job_name: j, local_sd_configs: [{}], relabel_configs: [{action: dance}]}":                                "dance",
		"- {job_name: j, local_sd_configs: [{}], relabel_configs: [{regex: '(', action: drop, source_labels: [a]}]}": "regex",
	} {
		var out []discover.Job
		require.NoError(t, yaml.UnmarshalWithOptions([]byte(text), &out, yaml.Strict()), text)
		err := out[0].Validate()
		require.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "cret")
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
