package push

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promauth"
)

// Auth is how a receiver and the sidecar prove to each other who they are. Files
// are read again when they change. The zero value is: not at all.
type Auth struct {
	// Username and PasswordFile are for basic authentication.
	Username, PasswordFile string
	// BearerTokenFile holds a token; not beside basic authentication.
	BearerTokenFile string
	// CAFile holds the certificates that sign the receiver's, the system's if empty.
	CAFile string
	// CertFile and KeyFile are the sidecar's own certificate, for mutual TLS.
	CertFile, KeyFile string
	// ServerName is the name in the receiver's certificate, the URL's host if empty.
	ServerName string
	// InsecureSkipVerify takes any certificate of the receiver.
	InsecureSkipVerify bool
	// Headers are added to each request.
	Headers map[string]string
}

// config is the form of VictoriaMetrics; user is that of the URL, nil without one.
func (a Auth) config(user *url.Userinfo) (*promauth.Config, error) {
	opts := promauth.Options{BearerTokenFile: a.BearerTokenFile}
	switch {
	case (a.CertFile == "") != (a.KeyFile == ""):
		return nil, errors.New("a certificate needs its key, and a key its certificate")
	case user != nil && a.Username != "":
		return nil, errors.New("a user name is both in the URL and beside it")
	case user != nil:
		password, _ := user.Password()
		opts.BasicAuth = &promauth.BasicAuthConfig{Username: user.Username(), Password: promauth.NewSecret(password)}
	case a.Username != "":
		opts.BasicAuth = &promauth.BasicAuthConfig{Username: a.Username, PasswordFile: a.PasswordFile}
	}
	if a.hasTLS() {
		opts.TLSConfig = &promauth.TLSConfig{
			CAFile: a.CAFile, CertFile: a.CertFile, KeyFile: a.KeyFile,
			ServerName: a.ServerName, InsecureSkipVerify: a.InsecureSkipVerify,
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		opts.Headers = append(opts.Headers, name+": "+a.Headers[name])
	}
	c, err := opts.NewConfig()
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return c, nil
}

// hasTLS tells whether the TLS settings differ from the system's.
func (a Auth) hasTLS() bool {
	return a.CAFile != "" || a.CertFile != "" || a.KeyFile != "" || a.ServerName != "" || a.InsecureSkipVerify
}

// transport is a connection pool that obeys the TLS settings.
func (a Auth) transport(c *promauth.Config) http.RoundTripper {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 1,
		ForceAttemptHTTP2:   true,
	}
	if !a.hasTLS() {
		return t
	}
	return c.NewRoundTripper(t)
}

// Client is an HTTP client that proves who it is in that way. It follows no redirects:
// they would carry the proof elsewhere.
func (a Auth) Client() (*http.Client, error) {
	c, err := a.config(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     authorised{c, a.transport(c)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// authorised adds credentials to requests.
type authorised struct {
	config *promauth.Config
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t authorised) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if err := t.config.SetHeaders(r, true); err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return t.next.RoundTrip(r)
}
