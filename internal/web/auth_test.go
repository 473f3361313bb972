package web_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/web"
	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

func TestUsersAndRoles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(file, []byte("one\n"), 0o600))
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	opts := options()
	opts.Users = []web.User{
		{Name: "boss", PasswordFile: file}, {Name: "guest", PasswordFile: file, ReadOnly: true},
		{Name: "blank", PasswordFile: empty}, {Name: "gone", PasswordFile: "/nonexistent"},
	}
	u := serve(t, opts)
	f := func(method, path, user, password string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, u+path, nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode, "%s %s by %s", method, path, user)
	}
	f("GET", "/-/healthy", "", "", 200)
	f("GET", "/-/ready", "", "", 200)
	for _, path := range []string{"/", "/metrics", "/vmui/", "/api/v1/query", "/-/ready/"} {
		f("GET", path, "", "", 401)
		f("GET", path, "boss", "two", 401)
		f("GET", path, "blank", "", 401)
		f("GET", path, "gone", "", 500)
	}
	f("GET", "/metrics", "boss", "one", 200)
	f("GET", "/metrics", "guest", "one", 200)
	f("POST", "/api/v1/query", "guest", "one", 200)
	f("POST", "/anything", "guest", "one", 403)
	f("POST", "/anything", "boss", "one", 404)

	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	f("GET", "/", "boss", "one", 401)
	f("GET", "/", "boss", "two", 200)
}

func TestForeignPagesCannotPost(t *testing.T) {
	u := serve(t, options())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u+"/api/v1/query", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", "http://evil.example")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
}

func TestTLSWithARotatedCertificate(t *testing.T) {
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	opts := options()
	opts.CertFile, opts.KeyFile = files.CertFile, files.KeyFile
	u := strings.Replace(serve(t, opts), "http:", "https:", 1)
	ask := func(ca []byte) error {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(ca))
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	first, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	require.NoError(t, ask(first))

	_, err = certs.Write(filepath.Dir(files.CAFile))
	require.NoError(t, err)
	later := time.Now().Add(time.Second)
	require.NoError(t, os.Chtimes(files.CertFile, later, later))
	require.NoError(t, os.Chtimes(files.KeyFile, later, later))
	second, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	require.NoError(t, ask(second))
	require.Error(t, ask(first))

	_, err = certs.Write(filepath.Dir(files.CAFile))
	require.NoError(t, err)
	before := later.Add(-time.Hour) // written by a clock that was set back, and the key is as old as it was
	require.NoError(t, os.Chtimes(files.CertFile, before, before))
	require.NoError(t, os.Chtimes(files.KeyFile, later, later))
	third, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	require.NoError(t, ask(third))
	second = third

	require.NoError(t, os.WriteFile(files.CertFile, []byte("broken"), 0o600))
	require.NoError(t, ask(second), "the last good one stays")

	opts.CertFile = "/nonexistent"
	_, err = web.New(opts)
	require.ErrorContains(t, err, "/nonexistent")
}
