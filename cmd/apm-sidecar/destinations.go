package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// destinations are the receivers of samples; store and handler are nil without one.
type destinations struct {
	list    []push.Destination
	store   *store.Store
	handler http.Handler
	close   func() error
}

// openDestinations opens the embedded store where there is one, and makes the
// remote-write receivers.
func openDestinations(env environment, c config.Config) (*destinations, error) {
	d := &destinations{close: func() error { return nil }}
	for i, r := range c.RemoteWrite {
		remote, err := push.RemoteWrite(r.URL, push.RemoteWriteOptions{Timeout: time.Duration(r.Timeout), Auth: authOf(r)})
		if err != nil {
			return nil, usagef("remote_write[%d]: %w", i, err)
		}
		d.list = append(d.list, remote)
	}
	if !c.HasStore() {
		return d, nil
	}
	s, err := store.Open(store.Options{
		Dir:          filepath.Join(c.DataDir, "store"),
		Retention:    time.Duration(c.Retention),
		MemoryBytes:  int64(c.Store.Memory),
		MinFreeBytes: int64(c.Store.MinFreeDisk),
		Logger:       env.logger(),
	})
	if err != nil {
		return nil, dataDirError(c, err)
	}
	d.list = append(d.list, push.Embedded(s))
	d.store, d.handler, d.close = s, s.Handler(), s.Close
	return d, nil
}

// authOf translates the words of the file.
func authOf(r config.RemoteWrite) push.Auth {
	return push.Auth{
		Username: r.BasicAuth.Username, PasswordFile: r.BasicAuth.PasswordFile,
		BearerTokenFile: r.BearerTokenFile,
		CAFile:          r.TLS.CAFile, CertFile: r.TLS.CertFile, KeyFile: r.TLS.KeyFile,
		ServerName: r.TLS.ServerName, InsecureSkipVerify: r.TLS.InsecureSkipVerify,
		Headers: r.Headers,
	}
}

// dataDirError tells how to have another folder.
func dataDirError(c config.Config, err error) error {
	return fmt.Errorf("data folder %s (--data-dir gives another): %w", c.DataDir, err)
}
