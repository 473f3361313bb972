package push

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

func secretFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestAuthIsSentAndReadAgain(t *testing.T) {
	password, token := secretFile(t, "one\n"), secretFile(t, "t1\n")
	for name, c := range map[string]struct {
		auth          Auth
		file          string
		first, second string
	}{
		"basic":  {Auth{Username: "bob", PasswordFile: password}, password, "Basic Ym9iOm9uZQ==", "Basic Ym9iOnR3bw=="},
		"bearer": {Auth{BearerTokenFile: token}, token, "Bearer t1", "Bearer two"},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.Headers = map[string]string{"X-Scope-OrgID": "7"}
			rc := newReceiver(t, nil)
			d := remote(t, rc.URL, RemoteWriteOptions{Auth: c.auth})
			_, err := d.Deliver(t.Context(), batch(t, 1))
			require.NoError(t, err)
			assert.Equal(t, c.first, rc.seen()[0].Header.Get("Authorization"))
			assert.Equal(t, "7", rc.seen()[0].Header.Get("X-Scope-OrgID"))
			require.NoError(t, os.WriteFile(c.file, []byte("two\n"), 0o600))
			require.Eventually(t, func() bool {
				_, err := d.Deliver(t.Context(), batch(t, 1))
				seen := rc.seen()
				return err == nil && seen[len(seen)-1].Header.Get("Authorization") == c.second
			}, time.Minute, 100*time.Millisecond, "a rotated secret needs no restart")
		})
	}
}

func TestAuthWithAMissingFileKeepsTheSamples(t *testing.T) {
	rc := newReceiver(t, nil)
	d := remote(t, rc.URL, RemoteWriteOptions{Auth: Auth{Username: "bob", PasswordFile: "/nonexistent"}})
	receipt, err := d.Deliver(t.Context(), batch(t, 1))
	assert.ErrorContains(t, err, "/nonexistent")
	assert.NotErrorIs(t, err, ErrRejected)
	assert.Equal(t, "credentials", receipt.Code)
}

// What is read again by the time of day is not for as long as a clock was set back: what was refused
// is read again at once.
func TestARefusedSecretIsReadAgainAtOnce(t *testing.T) {
	const first, second = "Bearer one", "Bearer two"
	token := secretFile(t, "one")
	wanted := first // set between requests
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		unknown := r.Header.Get("Authorization") != wanted
		if unknown {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
		return unknown
	})
	d := remote(t, rc.URL, RemoteWriteOptions{Auth: Auth{BearerTokenFile: token}})
	deliver := func() error {
		_, err := d.Deliver(t.Context(), batch(t, 1))
		return err
	}
	require.NoError(t, deliver())
	require.NoError(t, os.WriteFile(token, []byte("two"), 0o600))
	wanted = second
	require.Error(t, deliver())
	require.NoError(t, deliver())

	require.NoError(t, os.Remove(token))
	wanted = "anything else"
	require.Error(t, deliver(), "as it was")
	require.ErrorContains(t, deliver(), "credentials: ")
	require.NoError(t, os.WriteFile(token, []byte("one"), 0o600))
	wanted = first
	require.NoError(t, deliver())
}

// The same of an authority that the receiver's certificate is not of.
func TestAnAuthorityIsReadAgainAtOnce(t *testing.T) {
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	ca, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	server, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{server}}
	receiver.StartTLS()
	defer receiver.Close()
	other, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text, err := os.ReadFile(other.CAFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(authority, text, 0o600))
	d, err := RemoteWrite(receiver.URL, RemoteWriteOptions{Auth: Auth{CAFile: authority}})
	require.NoError(t, err)
	_, err = d.Deliver(t.Context(), batch(t, 1))
	require.ErrorContains(t, err, "certificate")
	require.NoError(t, os.WriteFile(authority, ca, 0o600))
	_, err = d.Deliver(t.Context(), batch(t, 1))
	require.NoError(t, err)
}

func TestAuthRefusesContradictions(t *testing.T) {
	for _, auth := range []Auth{
		{Username: "a"},
		{BearerTokenFile: "t"},
		{CertFile: "only"},
	} {
		_, err := RemoteWrite("http://user:hush@h/", RemoteWriteOptions{Auth: auth})
		require.Error(t, err, "%+v", auth)
		assert.NotContains(t, err.Error(), "hush")
	}
}

// TestMutualTLS: the receiver's certificate is checked against the given
// authority, and it asks for the sidecar's.
func TestMutualTLS(t *testing.T) {
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	ca, err := os.ReadFile(files.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	server, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	receiver.StartTLS()
	defer receiver.Close()

	full := Auth{CAFile: files.CAFile, CertFile: files.CertFile, KeyFile: files.KeyFile}
	for name, c := range map[string]struct {
		auth Auth
		ok   bool
	}{
		"both sides":        {full, true},
		"no own":            {Auth{CAFile: files.CAFile}, false},
		"unknown authority": {Auth{CertFile: files.CertFile, KeyFile: files.KeyFile}, false},
		"another name":      {Auth{CAFile: files.CAFile, CertFile: files.CertFile, KeyFile: files.KeyFile, ServerName: "other"}, false},
		"unchecked":         {Auth{CertFile: files.CertFile, KeyFile: files.KeyFile, InsecureSkipVerify: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := RemoteWrite(receiver.URL, RemoteWriteOptions{Auth: c.auth})
			require.NoError(t, err)
			_, err = d.Deliver(t.Context(), batch(t, 1))
			assert.Equal(t, c.ok, err == nil, "%v", err)
			assert.NotErrorIs(t, err, ErrRejected)
		})
	}
}
