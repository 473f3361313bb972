package web

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
)

// front is how the server meets whoever connects. It is replaced as a whole.
type front struct {
	handler http.Handler
	// tls is nil where the server speaks plain HTTP.
	tls *tls.Config
}

func newFront(b Binding) (*front, error) {
	f := &front{handler: b.Handler}
	if b.CertFile == "" {
		return f, nil
	}
	var err error
	f.tls, err = newTLS(b.CertFile, b.KeyFile, b.Logger)
	return f, err
}

// listener speaks TLS on new connections while the front has it.
type listener struct {
	net.Listener
	front *atomic.Pointer[front]
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if secured := l.front.Load().tls; secured != nil {
		return tls.Server(conn, secured), nil
	}
	return conn, nil
}

// serveFront answers with the front of the moment. A connection that began before TLS was
// switched on or off ends with its request.
func serveFront(current *atomic.Pointer[front]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := current.Load()
		if (f.tls != nil) != (r.TLS != nil) {
			w.Header().Set("Connection", "close")
		}
		f.handler.ServeHTTP(w, r)
	})
}
