package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are valid ones that the cases change.
func options() web.Options {
	return web.Options{
		Listen:  "127.0.0.1:0",
		Store:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "store "+r.URL.Path) }),
		Metrics: func(w io.Writer) { fmt.Fprintln(w, "m 1") },
		Ready:   func() error { return nil },
	}
}

// serve runs a server until the test ends and returns its URL.
func serve(t *testing.T, opts web.Options) string {
	t.Helper()
	s, err := web.New(opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		assert.NoError(t, <-done)
	})
	return "http://" + s.Addr()
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestRoutes(t *testing.T) {
	url := serve(t, options())
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/", "<h1>apm-sidecar</h1>", http.StatusOK},
		{"/assets/base.css", ":root {", http.StatusOK},
		{"/assets/index.html", "404", http.StatusNotFound},
		{"/assets/none.css", "404", http.StatusNotFound},
		{"/metrics", "m 1\n", http.StatusOK},
		{"/metrics", "go_goroutines ", http.StatusOK},
		{"/-/healthy", "healthy\n", http.StatusOK},
		{"/-/ready", "ready\n", http.StatusOK},
		{"/api/v1/query", "store /api/v1/query", http.StatusOK},
		{"/prometheus/api/v1/query", "store /prometheus/api/v1/query", http.StatusOK},
		{"/vmui/", "store /vmui/", http.StatusOK},
		{"/internal/force_flush", "404", http.StatusNotFound},
		{"/debug/pprof/", "404", http.StatusNotFound},
	} {
		resp, body := get(t, url+c.path)
		assert.Equal(t, c.status, resp.StatusCode, c.path)
		assert.Contains(t, body, c.body, c.path)
		assert.Regexp(t, `^default-src '(self|none)'; `, resp.Header.Get("Content-Security-Policy"), c.path)
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), c.path)
	}
}

func TestPageNamesWhatIsMissing(t *testing.T) {
	opts := options()
	opts.Store = nil
	opts.Ready = func() error { return errors.New("no poll of <shop> yet") }
	url := serve(t, opts)

	resp, body := get(t, url+"/-/ready")
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.Equal(t, "not ready: no poll of <shop> yet\n", body)
	resp, _ = get(t, url+"/-/healthy")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	resp, _ = get(t, url+"/vmui/")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	_, page := get(t, url+"/")
	assert.Contains(t, page, "no poll of &lt;shop&gt; yet")
	assert.NotContains(t, page, "/vmui/")
}

func TestPageUsesNoOtherHost(t *testing.T) {
	url := serve(t, options())
	resp, page := get(t, url+"/")
	assert.NotContains(t, page, "//")
	assert.Contains(t, page, `href="/vmui/#/dashboards"`)
	assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "style-src 'self';", "no style in the page")
}

// A browser that has an asset is told so, and gets the new one after a change.
func TestAssetsAreKept(t *testing.T) {
	url := serve(t, options()) + "/assets/base.css"
	resp, body := get(t, url)
	assert.Equal(t, "text/css; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.NotEmpty(t, body)
	for tag, status := range map[string]int{resp.Header.Get("ETag"): http.StatusNotModified, `"older"`: http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("If-None-Match", tag)
		again, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, again.Body.Close())
		assert.Equal(t, status, again.StatusCode)
	}
}

func TestTakenAddressIsToldByNew(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	opts := options()
	opts.Listen = l.Addr().String()
	_, err = web.New(opts)
	assert.ErrorContains(t, err, "choose another address")
}

func TestOptionsAreValidated(t *testing.T) {
	_, err := web.New(web.Options{})
	assert.ErrorContains(t, err, "no address")
	assert.ErrorContains(t, err, "no metrics")
	assert.ErrorContains(t, err, "no readiness")
}

func TestRunEndsInTimeWithAHangingRequest(t *testing.T) {
	opts := options()
	started := make(chan struct{})
	opts.Store = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	})
	s, err := web.New(opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	client := make(chan struct{})
	go func() {
		defer close(client)
		resp, err := http.Get("http://" + s.Addr() + "/api/v1/hang")
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-started
	cancel()
	require.NoError(t, <-done) // the request hangs until it is broken off
	<-client
}

func TestLongHeadersAreRefused(t *testing.T) {
	url := serve(t, options())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	require.NoError(t, err)
	req.Header.Set("X-Long", strings.Repeat("x", 128<<10))
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
	}
}
