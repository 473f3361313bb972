// Package e2e holds the end-to-end tests: real JVMs, a real database, and the
// built programs. "make test" runs a choice of them, "make e2e-full" all.
package e2e
