package jmx_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

// versionAnswer is what an agent says to a bulk that asks for its version.
const versionAnswer = `[{"status":200,"value":{"agent":"2.6.0","protocol":"8.0"}}]`

// secureAgent answers over TLS with a certificate of files, and wants one of the
// same authority where mutual is true.
func secureAgent(t *testing.T, files certs.Files, mutual bool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, versionAnswer) }))
	own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if mutual {
		pem, err := os.ReadFile(files.CAFile)
		require.NoError(t, err)
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		require.True(t, server.TLS.ClientCAs.AppendCertsFromPEM(pem))
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// secured is a client with TLS settings.
func secured(t *testing.T, url string, settings jvm.TLS) *jmx.Client {
	t.Helper()
	target, err := jvm.ParseTarget(url)
	require.NoError(t, err)
	target.TLS = settings
	c := jmx.New(target, jmx.Options{Timeout: 10 * time.Second})
	t.Cleanup(c.Close)
	return c
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	stranger, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	garbage := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(garbage, []byte("no certificate"), 0o600))
	for _, tc := range []struct {
		name     string
		mutual   bool
		settings jvm.TLS
		message  string
	}{
		{"its authority is known", false, jvm.TLS{CAFile: files.CAFile}, ""},
		{"its authority is the system's to know", false, jvm.TLS{}, "tls_config.ca_file"},
		{"another authority", false, jvm.TLS{CAFile: stranger.CAFile}, "tls_config.ca_file"},
		{"taken as it comes", false, jvm.TLS{InsecureSkipVerify: true}, ""},
		{"another name that it has", false, jvm.TLS{CAFile: files.CAFile, ServerName: "localhost"}, ""},
		{"a name that it lacks", false, jvm.TLS{CAFile: files.CAFile, ServerName: "shop"}, "tls_config.server_name"},
		{"an authority that is none", false, jvm.TLS{CAFile: garbage}, "no certificate in PEM form"},
		{"mutual", true, jvm.TLS{CAFile: files.CAFile, CertFile: files.CertFile, KeyFile: files.KeyFile}, ""},
		{"mutual, without ours", true, jvm.TLS{CAFile: files.CAFile}, "tls_config.cert_file"},
		{"mutual, a stranger's", true, jvm.TLS{CAFile: files.CAFile, CertFile: stranger.CertFile, KeyFile: stranger.KeyFile}, "tls_config.cert_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			agent, err := secured(t, secureAgent(t, files, tc.mutual), tc.settings).Version(t.Context())
			if tc.message == "" {
				require.NoError(t, err)
				assert.Equal(t, "2.6.0", agent.Version)
				return
			}
			require.Error(t, err)
			assert.Equal(t, jmx.ReasonTLS, jmx.Reason(err))
			assert.Contains(t, err.Error(), tc.message)
		})
	}
}

// TestRenewedCertificates: what a file says counts from the next connection on.
func TestRenewedCertificates(t *testing.T) {
	t.Parallel()
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	dir := t.TempDir()
	mine, err := certs.Write(dir)
	require.NoError(t, err)
	c := secured(t, secureAgent(t, files, false), jvm.TLS{CAFile: mine.CAFile})
	_, err = c.Version(t.Context())
	require.Error(t, err)
	renewed, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(mine.CAFile, renewed, 0o600))
	_, err = c.Version(t.Context())
	require.NoError(t, err)
}

func TestPlainAgentAskedByTLS(t *testing.T) {
	t.Parallel()
	agent := newFake(t, saying(200, "[]"))
	_, err := secured(t, "https"+agent.URL[len("http"):], jvm.TLS{}).Version(t.Context())
	require.Error(t, err)
	assert.Equal(t, jmx.ReasonTLS, jmx.Reason(err))
	assert.Contains(t, err.Error(), "http://")
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	got := make(chan string, 1)
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []item) {
		got <- r.Header.Get("Authorization")
		_, _ = io.WriteString(w, versionAnswer)
	})
	target, err := jvm.ParseTarget(agent.URL)
	require.NoError(t, err)
	target.Credentials.BearerTokenFile = file
	c := jmx.New(target, jmx.Options{})
	t.Cleanup(c.Close)
	_, err = c.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Bearer first", <-got)

	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	_, err = c.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Bearer second", <-got)

	require.NoError(t, os.Remove(file))
	_, err = c.Version(t.Context())
	assert.Equal(t, jmx.ReasonCredentials, jmx.Reason(err))
}
