package push

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

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

// idleTime is when a connection ends that nobody uses. A pool that gave way to another, see readAgain,
// has some; one in use has none, as receivers are spoken to more often.
const idleTime = 5 * time.Minute

// transport is a connection pool that obeys the TLS settings.
func (a Auth) transport(c *promauth.Config) http.RoundTripper {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 1,
		IdleConnTimeout:     idleTime,
		ForceAttemptHTTP2:   true,
	}
	if !a.hasTLS() {
		return t
	}
	return c.NewRoundTripper(t)
}

// Client is an HTTP client that proves who it is in that way. It follows no redirects:
// they would carry the proof elsewhere, and turn most POSTs into GETs.
func (a Auth) Client() (*http.Client, error) { return a.clientOf(nil) }

// clientOf is Client with the user of a URL, nil without one. Its errors wrap errCredentials where a
// request was not sent for want of the proof.
func (a Auth) clientOf(user *url.Userinfo) (*http.Client, error) {
	c, err := a.config(user)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     &authorised{auth: a, user: user, config: c, next: a.transport(c)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// errCredentials says that there is nothing to prove with who asks.
var errCredentials = errors.New("credentials")

// authorised adds credentials to requests. Files are read again by the time of day (lib/promauth),
// which stands still for an hour where the clock is set back by one: so when one is refused, they
// are for the next.
type authorised struct {
	auth Auth
	user *url.Userinfo

	mu     sync.Mutex
	config *promauth.Config
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *authorised) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	config, next := t.config, t.next
	t.mu.Unlock()
	r = r.Clone(r.Context())
	if err := config.SetHeaders(r, true); err != nil {
		t.readAgain(false)
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	resp, err := next.RoundTrip(r)
	switch {
	case err != nil:
		t.readAgain(true)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		t.readAgain(false)
	}
	return resp, err
}

// CloseIdleConnections is what http.Client calls.
func (t *authorised) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if idle, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// readAgain has the files read for the next request, those of TLS only where that is in doubt: no
// connection outlives them. One that is missing leaves all as it is.
func (t *authorised) readAgain(tls bool) {
	c, err := t.auth.config(t.user)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.config = c
	if tls && t.auth.hasTLS() {
		t.next = t.auth.transport(c)
	}
}
