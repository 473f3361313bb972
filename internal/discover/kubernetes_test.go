package discover_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/kubernetes"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/discover"
)

// podJob finds the pods of a server.
func podJob(url string) string {
	return `
- job_name: k
  kubernetes_sd_configs: [{role: pod, api_server: '` + url + `', namespaces: {names: [prod]}}]
  relabel_configs:
    - {source_labels: [__meta_kubernetes_pod_annotation_jolokia_port], regex: '(.+)', action: keep}
    - {source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_jolokia_port], separator: ':', target_label: __address__}
    - {source_labels: [__meta_kubernetes_pod_name], target_label: instance}
`
}

func TestKubernetesPodsComeAndGo(t *testing.T) {
	t.Parallel()
	api := newFakeKubernetes(t)
	api.set("shop-1", "10.0.0.1")
	d := run(t, podJob(api.URL))
	eventually(t, d, "k/shop-1 http://10.0.0.1:8778/jolokia/")
	api.set("shop-2", "10.0.0.2")
	eventually(t, d, "k/shop-1 http://10.0.0.1:8778/jolokia/", "k/shop-2 http://10.0.0.2:8778/jolokia/")
	api.remove("shop-1")
	eventually(t, d, "k/shop-2 http://10.0.0.2:8778/jolokia/")
}

// TestKubernetesThatRefusesIsTold: its watch tells of faults in a log alone.
func TestKubernetesThatRefusesIsTold(t *testing.T) {
	t.Parallel()
	api := newFakeKubernetes(t)
	api.set("shop-1", "10.0.0.1")
	d := run(t, podJob(api.URL))
	eventually(t, d, "k/shop-1 http://10.0.0.1:8778/jolokia/")
	require.Empty(t, d.Troubles())

	api.status.Store(http.StatusForbidden)
	api.CloseClientConnections()
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(d.Troubles(), ""), "pods is forbidden") }, time.Minute, 20*time.Millisecond)
	trouble := d.Troubles()[0]
	assert.Contains(t, trouble, "Discovery of job k (kubernetes) fails, the targets found before stay: ")
	assert.Contains(t, trouble, ": 403;")
	assert.Less(t, len(trouble), 700, "an answer is cut")
	assert.Equal(t, []string{"k/shop-1 http://10.0.0.1:8778/jolokia/"}, names(d.Targets()))
	var text strings.Builder
	d.WriteMetrics(&text)
	assert.NotContains(t, text.String(), "apm_sidecar_discovery_errors_total{job=\"k\",source=\"kubernetes0\"} 0\n")

	api.status.Store(0)
	api.set("shop-2", "10.0.0.2")
	eventually(t, d, "k/shop-1 http://10.0.0.1:8778/jolokia/", "k/shop-2 http://10.0.0.2:8778/jolokia/")
}

// The package for Kubernetes panics over a server that is no URL.
func TestAFileOfKubectlsWithoutAServerIsRefused(t *testing.T) {
	t.Parallel()
	f := func(server, want string) {
		file := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(file, []byte("clusters: [{name: prod, cluster: {server: '"+server+"'}}]\n"), 0o600))
		j := discover.Job{Name: "k", Kubernetes: []kubernetes.SDConfig{{Role: "pod", KubeConfigFile: file}}}
		err := j.Validate()
		if want == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "cret")
	}
	f("https://10.0.0.1:6443", "")
	f("10.0.0.1:6443", "")
	f("https://u:se/cret@h", `kubernetes_sd_configs[0]: kubeconfig_file: the server of cluster "prod" in `)
	f("", `cluster "prod"`)
}

// What is refused of one role is no fault of another: this server has no services.
func TestFaultsOfKubernetesAreThoseOfTheRole(t *testing.T) {
	t.Parallel()
	api := newFakeKubernetes(t)
	api.set("shop-1", "10.0.0.1")
	d := run(t, podJob(api.URL)+"- {job_name: s, kubernetes_sd_configs: [{role: service, api_server: '"+api.URL+"'}]}\n")
	require.Eventually(t, func() bool { return len(d.Troubles()) > 0 }, time.Minute, 20*time.Millisecond)
	eventually(t, d, "k/shop-1 http://10.0.0.1:8778/jolokia/")
	require.Len(t, d.Troubles(), 1)
	assert.Contains(t, d.Troubles()[0], "Discovery of job s ")
}

// TestKubernetesThatHangsHoldsUpNobody: neither other sources nor the end.
func TestKubernetesThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() {
		close(over)
		api.Close()
	})
	list := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"targets": ["a:1"]}]`))
	}))
	t.Cleanup(list.Close)
	d := run(t, podJob(api.URL)+`
- job_name: h
  http_sd_configs: [{url: '`+list.URL+`'}]
`)
	eventually(t, d, "h/a:1 http://a:1/jolokia/")
	assert.Eventually(t, d.Settled, time.Minute, 20*time.Millisecond)
	assert.Contains(t, strings.Join(d.Troubles(), ""), "no answer yet")
}

// fakeKubernetes is as much of an API server as listing and watching pods takes.
type fakeKubernetes struct {
	*httptest.Server
	// status is what everything is answered with, 0 for an answer.
	status atomic.Int32

	mu   sync.Mutex
	pods map[string]map[string]any
	// events are all that happened; a resource version is how many there were. more is
	// closed and replaced when there is another.
	events []map[string]any
	more   chan struct{}
}

func newFakeKubernetes(t *testing.T) *fakeKubernetes {
	t.Helper()
	f := &fakeKubernetes{pods: map[string]map[string]any{}, more: make(chan struct{})}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *fakeKubernetes) set(name, ip string) {
	pod := map[string]any{
		"metadata": map[string]any{"name": name, "namespace": "prod", "annotations": map[string]string{"jolokia/port": "8778"}},
		"spec":     map[string]any{"containers": []map[string]any{{"name": "app"}}},
		"status":   map[string]any{"podIP": ip, "phase": "Running"},
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pods[name] = pod
	f.tell("ADDED", pod)
}

func (f *fakeKubernetes) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pod := f.pods[name]
	delete(f.pods, name)
	f.tell("DELETED", pod)
}

func (f *fakeKubernetes) tell(kind string, pod map[string]any) {
	f.events = append(f.events, map[string]any{"type": kind, "object": pod})
	close(f.more)
	f.more = make(chan struct{})
}

func (f *fakeKubernetes) serve(w http.ResponseWriter, r *http.Request) {
	if status := f.status.Load(); status != 0 {
		http.Error(w, strings.Repeat("pods is forbidden ", 1000), int(status))
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/pods") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		items := []any{}
		for _, pod := range f.pods {
			items = append(items, pod)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]string{"resourceVersion": strconv.Itoa(len(f.events))}, "items": items})
		return
	}
	seen, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for {
		f.mu.Lock()
		fresh, more := f.events[min(seen, len(f.events)):], f.more
		f.mu.Unlock()
		for _, e := range fresh {
			_ = json.NewEncoder(w).Encode(e)
		}
		seen += len(fresh)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-more:
		}
	}
}
