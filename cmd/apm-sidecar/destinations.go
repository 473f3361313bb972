package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// destinations are the receivers of samples; store is nil without one.
type destinations struct {
	list  []push.Destination
	store *store.Store
	// remote are those of list that have an entry in the configuration, in its order.
	remote []receiver
}

// receiver is a destination with its entry in the configuration.
type receiver struct {
	entry config.RemoteWrite
	push.Destination
}

// openDestinations makes those of a configuration. What before has already is used again:
// a receiver whose entry is the same, and the store. The store is opened last.
func openDestinations(env environment, c config.Config, before *destinations) (*destinations, error) {
	d := &destinations{}
	for i, r := range c.RemoteWrite {
		remote, err := before.receiver(r)
		if err != nil {
			return nil, usagef("remote_write[%d]: %w", i, err)
		}
		d.remote = append(d.remote, receiver{r, remote})
		d.list = append(d.list, remote)
	}
	switch {
	case !c.HasStore():
		return d, nil
	case before.store != nil:
		d.store = before.store
	default:
		var err error
		d.store, err = store.Open(store.Options{
			Dir:          filepath.Join(c.DataDir, "store"),
			Retention:    time.Duration(c.Retention),
			MemoryBytes:  int64(c.Store.Memory),
			MinFreeBytes: int64(c.Store.MinFreeDisk),
			Logger:       env.logger(),
			Broken:       func(err error) { env.giveUp(dataDirError(c, err)) },
		})
		if err != nil {
			return nil, dataDirError(c, err)
		}
	}
	d.list = append(d.list, d.embedded(before))
	return d, nil
}

// receiver is the one of an entry.
func (d *destinations) receiver(entry config.RemoteWrite) (push.Destination, error) {
	for _, r := range d.remote {
		if reflect.DeepEqual(r.entry, entry) {
			return r.Destination, nil
		}
	}
	return push.RemoteWrite(entry.URL, push.RemoteWriteOptions{Timeout: time.Duration(entry.Timeout), Auth: authOf(entry)})
}

// embedded is the destination that the store is.
func (d *destinations) embedded(before *destinations) push.Destination {
	if before.store == d.store {
		return before.list[len(before.list)-1]
	}
	return push.Embedded(d.store, store.HeldFor)
}

// handler answers queries; nil without a store.
func (d *destinations) handler() http.Handler {
	if d.store == nil {
		return nil
	}
	return d.store.Handler()
}

// close closes the store, unless it is kept by others.
func (d *destinations) close(others *destinations) error {
	if d.store == nil || d.store == others.store {
		return nil
	}
	return d.store.Close()
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
