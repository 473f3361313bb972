package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"

	"golang.org/x/net/http/httpguts"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
)

// RemoteWrite is one receiver of samples, in the words of Prometheus. In the file
// it may be a URL alone.
type RemoteWrite struct {
	// URL is where samples are posted, such as http://vm:8428/api/v1/write.
	URL             string            `yaml:"url"`
	BasicAuth       BasicAuth         `yaml:"basic_auth"`
	BearerTokenFile string            `yaml:"bearer_token_file"`
	TLS             jvm.TLS           `yaml:"tls_config"`
	Headers         map[string]string `yaml:"headers"`
	// Timeout bounds one request.
	Timeout Duration `yaml:"timeout"`
}

// BasicAuth is a user with the file of the password, which is read again when it
// changes.
type BasicAuth struct {
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// UnmarshalYAML reads a URL, or everything.
func (r *RemoteWrite) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&r.URL); err == nil {
		return nil
	}
	type plain RemoteWrite // without this method
	return unmarshal((*plain)(r))
}

// SetRemoteWrite replaces all receivers by URLs.
func (c *Config) SetRemoteWrite(urls []string) {
	c.RemoteWrite = nil
	for _, u := range urls {
		c.RemoteWrite = append(c.RemoteWrite, RemoteWrite{URL: u})
	}
}

// fault is what stands against the receiver; it shows no URL.
func (r RemoteWrite) fault() error {
	u, err := url.Parse(r.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("is no http or https URL")
	}
	ways := 0
	for _, used := range []bool{u.User != nil, r.BasicAuth.Username != "", r.BearerTokenFile != ""} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("has more than one of a user in the URL, basic_auth and bearer_token_file")
	case r.BasicAuth.PasswordFile != "" && r.BasicAuth.Username == "":
		return errors.New("has basic_auth.password_file without username")
	case r.BasicAuth.Username != "" && r.BasicAuth.PasswordFile == "":
		return errors.New("has basic_auth.username without password_file")
	case r.Timeout < 0:
		return fmt.Errorf("has a negative timeout %s", r.Timeout)
	}
	return errors.Join(
		r.TLS.Validate(r.URL),
		sendable(r.Headers),
		readable("basic_auth.password_file", r.BasicAuth.PasswordFile),
		readable("bearer_token_file", r.BearerTokenFile),
		readableTLS(r.TLS))
}

// sendable says which headers HTTP has no form for; it shows no value.
func sendable(headers map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("headers: %q is no name of a header", name)
		}
		if !httpguts.ValidHeaderFieldValue(headers[name]) {
			return fmt.Errorf("headers: the value of %s has a line break or another control character in it", name)
		}
	}
	return nil
}

// receiver is what receivers are told apart by.
func (r RemoteWrite) receiver() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r.URL
	}
	return push.ReceiverID(*u)
}

// readableTLS says which files of TLS settings cannot be read.
func readableTLS(t jvm.TLS) error {
	return errors.Join(
		readable("tls_config.ca_file", t.CAFile),
		readable("tls_config.cert_file", t.CertFile),
		readable("tls_config.key_file", t.KeyFile))
}

// readable says why the file that a field names cannot be read; an empty name is
// no file.
func readable(field, name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}
