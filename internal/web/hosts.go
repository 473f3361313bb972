package web

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// withHosts refuses what is asked under a name of another site, unless any name will do or users
// have a password: a page there that a browser on this machine has open can have its name lead
// here, and would then read and send all that our own pages may (DNS rebinding).
func withHosts(o Options, next http.Handler) http.Handler {
	if len(o.Users) > 0 || o.AnyName {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownName(r.Host) {
			http.Error(w, "without users, this sidecar answers only to localhost, addresses, and names without a dot: "+
				"have a proxy send the header \"Host: localhost\", or give web.users or web.open: true", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownName says whether no other site can have the name: it is an address, this machine's name,
// or has no dot.
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") {
		return true
	}
	own, err := os.Hostname()
	return err == nil && strings.EqualFold(host, own)
}
