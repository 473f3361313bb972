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

// newHTTP is a resty client for the agent at a URL with connections of its own: it
// follows no redirect and keeps no cookies, so credentials go where they were meant
// to go. Answers are read by whoever asks, see answer.
func newHTTP(target jvm.Target, buffers *Buffers) *resty.Client {
	refuse := resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })
	return resty.NewWithClient(&http.Client{Transport: newTransport(target, buffers)}).
		SetDoNotParseResponse(true).
		SetRedirectPolicy(refuse).
		SetDisableWarn(true).
		SetHeader("Content-Type", "application/json").
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", "apm-sidecar")
}

// newTransport is our own for plain HTTP, and net/http's for whatever else there is.
func newTransport(target jvm.Target, buffers *Buffers) http.RoundTripper {
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
