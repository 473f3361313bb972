package discover_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/discover"
)

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

// What is read again by the time of day is not for as long as a clock was set back: a server that
// refuses a token is shown what is in the file by then.
func TestATokenThatIsRefusedIsReadAgainAtOnce(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("old"), 0o600))
	var refused atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			assert.NoError(t, os.WriteFile(token, []byte("new"), 0o600))
			assert.False(t, refused.Swap(true), "once more the old one")
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode([]map[string]any{{"targets": []string{"one:1"}}})
	}))
	defer server.Close()
	d := run(t, "- job_name: h\n  http_sd_configs: [{url: '"+server.URL+"', refresh_interval: 1s, bearer_token_file: '"+token+"'}]\n")
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
	lines := bufio.NewScanner(logs)
	for lines.Scan() && !strings.Contains(lines.Text(), "127.0.0.1:1/x?masked") {
		// What others have the engine's log say, or the secret in the place of the mask.
		assert.NotContains(t, lines.Text(), "s3cret")
	}
	assert.Contains(t, lines.Text(), "127.0.0.1:1/x?masked")
	assert.NotContains(t, lines.Text(), "s3cret")
	cancel()
	require.NoError(t, logs.Close())
	require.NoError(t, <-ended)
}

// TestAnswersOfHTTPShowNoPassword: a server that answers, but no list of targets, is named
// without what its address has of secrets.
func TestAnswersOfHTTPShowNoPassword(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no list":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			d := run(t, "- {job_name: h, http_sd_configs: [{url: 'http://bob:s3cret@"+host+"/x?k=s3cret'}]}")
			require.Eventually(t, func() bool { return len(d.Troubles()) == 1 }, time.Minute, 10*time.Millisecond)
			assert.Contains(t, d.Troubles()[0], host+"/x?masked")
			assert.NotContains(t, d.Troubles()[0], "s3cret")
		})
	}
}

// An answer without end, or one that swells, is read no further than makes sense; what is
// told of an error is short.
func TestHTTPAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var mode atomic.Value
	mode.Store("good")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		var to io.Writer = w
		switch mode.Load() {
		case "good":
			_, _ = io.WriteString(w, `[{"targets": ["one:1"]}]`)
			return
		case "error":
			w.WriteHeader(http.StatusInternalServerError)
		case "bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			to = z
		}
		for range 1000 {
			if _, err := to.Write(blanks); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	d := run(t, "- {job_name: h, http_sd_configs: [{url: '"+server.URL+"', refresh_interval: 1s}]}")
	want := "h/one:1 http://one:1/jolokia/"
	eventually(t, d, want)
	for _, c := range []struct{ mode, told string }{{"endless", "longer than 16777216 bytes"}, {"error", "answered status 500"}, {"bomb", "longer than 16777216 bytes"}} {
		mode.Store(c.mode)
		require.Eventually(t, func() bool { return strings.Contains(strings.Join(d.Troubles(), ""), c.told) }, time.Minute, 20*time.Millisecond, c.mode)
		assert.Less(t, len(d.Troubles()[0]), 700)
		assert.Equal(t, []string{want}, names(d.Targets()))
		mode.Store("good")
		require.Eventually(t, func() bool { return len(d.Troubles()) == 0 }, time.Minute, 20*time.Millisecond)
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
	const times = 5
	within := time.After((times-1)*30*time.Second - time.Second)
	for range times {
		select {
		case <-asked:
		case <-within:
			t.Fatal("the source was not asked as often as it is to be")
		}
	}
}
