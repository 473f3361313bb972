package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// User is one who may see the pages, by basic authentication.
type User struct {
	Name string
	// PasswordFile is read for each request, so that a rotated password needs no
	// restart.
	PasswordFile string
	// ReadOnly users may look, but change nothing.
	ReadOnly bool
}

// freePaths are open to everyone: probes have no password.
func freePaths() []string { return []string{"/-/healthy", "/-/ready"} }

// withUsers lets only the users pass; without any, everyone passes.
func withUsers(users []User, next http.Handler) http.Handler {
	if len(users) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, free := range freePaths() {
			if r.URL.Path == free {
				next.ServeHTTP(w, r)
				return
			}
		}
		user, err := authenticate(users, r)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case user == nil:
			w.Header().Set("WWW-Authenticate", `Basic realm="apm-sidecar", charset="UTF-8"`)
			http.Error(w, "name and password, please", http.StatusUnauthorized)
		case user.ReadOnly && changes(r):
			http.Error(w, "this user may only look", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// authenticate finds the user of the request; nil when there is none.
func authenticate(users []User, r *http.Request) (*User, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil, nil
	}
	for i := range users {
		if users[i].Name != name {
			continue
		}
		content, err := os.ReadFile(users[i].PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("the password of %q cannot be read", name)
		}
		want := strings.TrimRight(string(content), "\r\n")
		if want != "" && same(want, password) {
			return &users[i], nil
		}
	}
	return nil, nil
}

// same compares in a time that tells nothing of either.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// changes tells requests that do more than look. Queries of the store are asked by
// POST as well.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !isQuery(r.URL.Path)
}
