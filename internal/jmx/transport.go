package jmx

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// maxAnswerBytes bounds an answer after decompression. A poll of a JVM with
	// every pool and collector is about 7 kB.
	maxAnswerBytes = 8 << 20
	// maxHeaderBytes bounds an answer's header.
	maxHeaderBytes = 64 << 10
	// idleTimeout is below the 30 s after which the JDK's HTTP server, which the
	// JVM agent uses, drops a quiet connection.
	idleTimeout = 25 * time.Second
	dialTimeout = 5 * time.Second
	// handshakeTimeout bounds the securing of a connection: a JVM's first takes it a
	// second of computing, and ours reads the system's authorities.
	handshakeTimeout = 10 * time.Second
)

// newHTTP is a resty client for the agents of all targets, each of which has its own
// connections: a request says in its context whose it goes over. It follows no redirect
// and keeps no cookies, so credentials go where they were meant to go. Answers are read
// by whoever asks, see answer.
func newHTTP() *resty.Client {
	refuse := resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })
	return resty.NewWithClient(&http.Client{Transport: chosen{}}).
		SetDoNotParseResponse(true).
		SetRedirectPolicy(refuse).
		SetDisableWarn(true).
		SetHeader("Content-Type", "application/json").
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "apm-sidecar")
}

// connections are those of one target.
type connections interface {
	http.RoundTripper
	CloseIdleConnections()
}

// chosen sends a request over the connections in its context.
type chosen struct{}

type connectionsKey struct{}

// over makes requests of the context go over the given connections.
func over(ctx context.Context, c connections) context.Context {
	return context.WithValue(ctx, connectionsKey{}, c)
}

// RoundTrip implements http.RoundTripper.
func (chosen) RoundTrip(req *http.Request) (*http.Response, error) {
	return req.Context().Value(connectionsKey{}).(connections).RoundTrip(req)
}

// newTransport is our own for plain HTTP, and net/http's for whatever else there is.
func newTransport(target jvm.Target, buffers *Buffers) connections {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return quickAck(conn), nil
	}
	if u, err := url.Parse(target.URL); err == nil && u.Scheme == "http" {
		port := u.Port()
		if port == "" {
			port = "80"
		}
		return &plainTransport{address: net.JoinHostPort(u.Hostname(), port), dial: dial, buffers: buffers}
	}
	return &http.Transport{
		DialContext:            dial,
		DialTLSContext:         dialTLS(target.TLS, dial),
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
}
