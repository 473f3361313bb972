package web_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/web"
	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

// TestUpdate: users, parts and TLS change under a running server, also for a client
// that keeps its connection.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	files, err := certs.Write(dir)
	require.NoError(t, err)
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("one"), 0o600))
	ca, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()

	opts := options()
	s, err := web.New(opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ask := func(scheme, path, user string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+s.Addr()+path, nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, "one")
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Proto
	}
	is := func(want int, scheme, path, user string) {
		t.Helper()
		got, text := ask(scheme, path, user)
		assert.Equal(t, want, got, text)
	}
	is(200, "http", "/vmui/", "")

	opts.Users, opts.Store = []web.User{{Name: "boss", PasswordFile: password}}, nil
	require.NoError(t, s.Update(opts))
	is(401, "http", "/", "")
	is(200, "http", "/", "boss")
	is(404, "http", "/vmui/", "boss")

	wrong := opts
	wrong.CertFile, wrong.KeyFile = "/nonexistent", "/nonexistent"
	require.ErrorContains(t, s.Update(wrong), "/nonexistent")
	is(401, "http", "/", "")

	opts.CertFile, opts.KeyFile = files.CertFile, files.KeyFile
	require.NoError(t, s.Update(opts))
	is(200, "http", "/", "boss") // by the connection it has, for the last time
	is(400, "http", "/-/healthy", "boss")
	_, proto := ask("https", "/", "boss")
	assert.Equal(t, "HTTP/2.0", proto)
	is(200, "https", "/", "boss")

	opts.CertFile, opts.KeyFile, opts.Users = "", "", nil
	require.NoError(t, s.Update(opts))
	is(200, "http", "/", "")
	cancel()
	require.NoError(t, <-done)
}
