package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/-/ready" {
			http.Error(w, "not ready: target shop was not polled yet", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("healthy\n"))
	})
	plain, secured := httptest.NewServer(answers), httptest.NewTLSServer(answers)
	t.Cleanup(plain.Close)
	t.Cleanup(secured.Close)
	f := func(want exitCode, text, listenEnv string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		env := environment{stdout: &out, stderr: &out, getenv: func(name string) string {
			return map[string]string{"APM_SIDECAR_LISTEN": listenEnv}[name]
		}}
		assert.Equal(t, want, run(t.Context(), env, append([]string{"health"}, args...)), out.String())
		assert.Contains(t, out.String(), text)
	}
	f(exitOK, "healthy", plain.Listener.Addr().String())
	f(exitOK, "healthy", "127.0.0.1:1", "--listen", plain.Listener.Addr().String())
	f(exitOK, "healthy", "", "--listen", secured.Listener.Addr().String())
	f(exitError, "shop was not polled yet", "", "--ready", "--listen", secured.Listener.Addr().String())
	f(exitError, "connection refused", "", "--listen", "127.0.0.1:1")
	f(exitUsage, "is no host:port", "", "--listen", "a b")
}
