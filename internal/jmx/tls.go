package jmx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// dialFunc opens a connection, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialTLS opens connections by dial and secures them. The files of the settings are
// read for each, so that a renewed certificate needs no restart.
func dialTLS(settings jvm.TLS, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		config, err := tlsConfig(settings, address)
		if err != nil {
			return nil, &Error{ReasonTLS, err}
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error is the one that tells
			return nil, err
		}
		return secured, nil
	}
}

// tlsConfig is the form of crypto/tls for a server at a host and port.
func tlsConfig(settings jvm.TLS, address string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: host,
		//nolint:gosec // the user's wish, of which run and doctor warn
		InsecureSkipVerify: settings.InsecureSkipVerify,
	}
	if settings.ServerName != "" {
		config.ServerName = settings.ServerName
	}
	if settings.CAFile != "" {
		pem, err := os.ReadFile(settings.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_config.ca_file: %s has no certificate in PEM form", settings.CAFile)
		}
	}
	if settings.CertFile != "" {
		own, err := tls.LoadX509KeyPair(settings.CertFile, settings.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.cert_file and key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
