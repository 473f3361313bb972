package web_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// TestHosts: a name that another site can have is not answered on the loopback address, where
// nobody needs a password.
func TestHosts(t *testing.T) {
	ask := func(url, host string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/targets", nil)
		require.NoError(t, err)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	own, err := os.Hostname()
	require.NoError(t, err)
	url := serve(t, filling())
	for _, host := range []string{"", "localhost:8429", "LOCALHOST", "apm.localhost", "127.0.0.1:8429", "[::1]:8429", "10.1.2.3", "sidecar:80", own + ":8429"} {
		status, _ := ask(url, host)
		assert.Equal(t, http.StatusOK, status, host)
	}
	for _, host := range []string{"evil.example", "evil.example:8429", "evil.example.", "127.0.0.1.evil.example", "localhost.evil.example"} {
		status, body := ask(url, host)
		assert.Equal(t, http.StatusMisdirectedRequest, status, host)
		assert.Contains(t, body, "Host: localhost", host)
		assert.NotContains(t, body, "nobody answers", host)
	}

	password := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(password, []byte("one"), 0o600))
	opts := filling()
	opts.Users = []web.User{{Name: "ops", PasswordFile: password}}
	status, _ := ask(serve(t, opts), "apm.example.com")
	assert.Equal(t, http.StatusUnauthorized, status, "the password keeps others out")

	opts = filling()
	opts.AnyName = true
	status, _ = ask(serve(t, opts), "apm.example.com")
	assert.Equal(t, http.StatusOK, status)
}
