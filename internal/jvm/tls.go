package jvm

import (
	"errors"
	"net/url"
	"strings"
)

// TLS is how a server's certificate is checked, and our own, in the words of
// Prometheus' tls_config. Files are read again when they change. The zero value
// trusts what the system trusts.
type TLS struct {
	// CAFile holds the certificates that sign the server's, the system's if empty.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are our own certificate, for mutual TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name in the server's certificate, the URL's host if empty.
	ServerName string `yaml:"server_name"`
	// InsecureSkipVerify takes any certificate of the server.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

// Validate says what stands against the settings for a server at the URL.
func (t TLS) Validate(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case (t.CertFile == "") != (t.KeyFile == ""):
		return errors.New("one of tls_config.cert_file and key_file is given without the other")
	case err == nil && strings.EqualFold(u.Scheme, "http") && t != (TLS{}):
		return errors.New("tls_config is given, but the URL begins with http://")
	}
	return nil
}
