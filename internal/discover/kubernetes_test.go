package discover_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeKubernetes is as much of an API server as listing and watching pods takes.
type fakeKubernetes struct {
	*httptest.Server

	mu       sync.Mutex
	pods     map[string]map[string]any
	watchers map[chan map[string]any]bool
}

func newFakeKubernetes(t *testing.T) *fakeKubernetes {
	t.Helper()
	f := &fakeKubernetes{pods: map[string]map[string]any{}, watchers: map[chan map[string]any]bool{}}
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
	for w := range f.watchers {
		w <- map[string]any{"type": kind, "object": pod}
	}
}

func (f *fakeKubernetes) serve(w http.ResponseWriter, r *http.Request) {
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
		_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]string{"resourceVersion": "1"}, "items": items})
		return
	}
	events := make(chan map[string]any, 10)
	f.mu.Lock()
	f.watchers[events] = true
	f.mu.Unlock()
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			f.mu.Lock()
			delete(f.watchers, events)
			f.mu.Unlock()
			return
		case e := <-events:
			_ = json.NewEncoder(w).Encode(e)
			w.(http.Flusher).Flush()
		}
	}
}
