package jvm

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Target is one JVM to watch.
type Target struct {
	// URL is the Jolokia agent's, always with a trailing slash (1.x agents answer
	// 404 without it) and never with credentials.
	URL string
	// Job and Instance are the two labels that name the target in every series.
	// No two targets may share both.
	Job, Instance string
	// Labels are the user's own, added to every series of the target.
	Labels map[string]string
	// Credentials are sent with each request; the zero value sends none.
	Credentials Credentials
	// TLS is for an https URL.
	TLS TLS
	// Interval is the time between two polls and Timeout bounds one; zero means
	// those of the sidecar.
	Interval, Timeout time.Duration
}

// Name is what logs and pages call the target.
func (t Target) Name() string { return t.Job + "/" + t.Instance }

// Credentials are a user name with the password or the file that holds it, for basic
// authentication, or a bearer token's file. They never show the password when printed
// or logged.
type Credentials struct {
	Username string
	// Password is used where PasswordFile is empty.
	Password string
	// PasswordFile is read again for every request, so that a rotated password
	// needs no restart.
	PasswordFile string
	// BearerTokenFile holds a token, read again for every request; not beside a user
	// name.
	BearerTokenFile string
}

// String names the user alone.
func (c Credentials) String() string {
	switch {
	case c.Username != "":
		return c.Username + ":***"
	case c.BearerTokenFile != "":
		return "bearer token"
	}
	return "none"
}

// GoString is String: %#v must not print the password either.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// DefaultJob is the job label of a target without a name.
const DefaultJob = "jvm"

// ParseTarget reads the URL of a Jolokia agent. Credentials in the URL move to
// Target.Credentials; Instance is the URL's host and port; without a path the
// agent's default, /jolokia/, is taken. Errors never show the URL's password.
func ParseTarget(raw string) (Target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Target{}, errors.New("the target is no URL; write it like http://127.0.0.1:8778/jolokia/")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return Target{}, errors.New("the target is no http or https URL with a host; write it like http://127.0.0.1:8778/jolokia/")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return Target{}, fmt.Errorf("the target's port %s is not between 1 and 65535", port)
		}
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return Target{}, fmt.Errorf("target %s: a Jolokia URL has no query and no fragment", u.Scheme+"://"+u.Host+u.Path)
	}
	t := Target{Job: DefaultJob, Instance: u.Host}
	if u.User != nil {
		t.Credentials.Username = u.User.Username()
		t.Credentials.Password, _ = u.User.Password()
		u.User = nil
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/jolokia/"
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawPath = ""
	t.URL = u.String()
	return t, nil
}
