package config

import (
	"errors"
	"fmt"
	"net"
)

// Web guards the sidecar's pages.
type Web struct {
	// CertFile and KeyFile make the server speak TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// Users may see the pages; without any, everyone may who reaches the address.
	Users []User `yaml:"users"`
	// Open allows an address beyond loopback without users, and one on loopback to be asked by
	// any name.
	Open bool `yaml:"open"`
}

// User is one who may see the pages. The file is read again when it changes.
type User struct {
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	// ReadOnly users may look, but change nothing.
	ReadOnly bool `yaml:"read_only"`
}

// faults are what stands against the settings for an address.
func (w Web) faults(listen string) []error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "" {
		return append(errs, fmt.Errorf("listen %q is no host:port, such as 127.0.0.1:8429", listen))
	}
	if !isLoopback(host) && len(w.Users) == 0 && !w.Open {
		fault("listen %q can be reached by others: give web.users, or allow everyone by web.open: true (--web-open)", listen)
	}
	if (w.CertFile == "") != (w.KeyFile == "") {
		fault("web: cert_file and key_file belong together")
	}
	errs = append(errs, readable("web.cert_file", w.CertFile), readable("web.key_file", w.KeyFile))
	seen := map[string]bool{}
	for i, u := range w.Users {
		switch {
		case u.Username == "" || u.PasswordFile == "":
			fault("web.users[%d] needs username and password_file", i)
		case seen[u.Username]:
			fault("web.users[%d]: user %q is there already", i, u.Username)
		}
		seen[u.Username] = true
		errs = append(errs, readable(fmt.Sprintf("web.users[%d].password_file", i), u.PasswordFile))
	}
	return []error{errors.Join(errs...)}
}

// AnyName says whether the pages at an address may be asked for by any name, also by one that
// another site can have.
func (w Web) AnyName(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return w.Open || err == nil && !isLoopback(host)
}

// isLoopback tells hosts that only this machine reaches.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
