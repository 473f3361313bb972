package jmx_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

type item = jmxtest.Item

// fake is a Jolokia agent under a test's control.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	bulks [][]item
}

// newFake serves with answer and remembers the bulks it was asked.
func newFake(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, bulk []item)) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		var bulk []item
		assert.NoError(t, json.Unmarshal(body, &bulk), "a request must be a bulk: %s", body)
		f.mu.Lock()
		f.bulks = append(f.bulks, bulk)
		f.mu.Unlock()
		answer(w, r, bulk)
	}))
	t.Cleanup(f.Close)
	return f
}

// asked are the bulks so far.
func (f *fake) asked() [][]item {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([][]item(nil), f.bulks...)
}

// client is a client of the agent, or of the agent at another URL.
func client(t *testing.T, url string) *jmx.Client {
	t.Helper()
	target, err := jvm.ParseTarget(url)
	require.NoError(t, err)
	c := jmx.New(target, jmx.Options{Timeout: 30 * time.Second, DumpTimeout: 30 * time.Second})
	t.Cleanup(c.Close)
	return c
}

// captured is the text of a reply recorded from a real agent.
func captured(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(content)
}

// saying answers every request with the text.
func saying(status int, text string) func(http.ResponseWriter, *http.Request, []item) {
	return func(w http.ResponseWriter, _ *http.Request, _ []item) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// replaying answers reads with what a recorded bulk says about their MBeans.
func replaying(t *testing.T, recorded string) func(http.ResponseWriter, *http.Request, []item) {
	t.Helper()
	answers, err := jmxtest.Recorded([]byte(recorded))
	require.NoError(t, err)
	return answering(answers)
}

// answering answers each read with the item of its MBean; others are absent.
func answering(items jmxtest.Answers) func(http.ResponseWriter, *http.Request, []item) {
	return func(w http.ResponseWriter, _ *http.Request, bulk []item) { _, _ = io.WriteString(w, items.Bulk(bulk)) }
}
