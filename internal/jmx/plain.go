package jmx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// plainTransport speaks HTTP/1.1 without TLS to one agent. net/http's transport has
// two goroutines and two buffers for each connection, which for a thousand agents is
// most of the program's memory, and waking them a good part of its work. Here whoever
// asks writes and reads by himself, and a connection at rest is a socket and no more.
// What goes over the wire is written and read by net/http.
type plainTransport struct {
	address string
	dial    dialFunc
	buffers *Buffers

	mu sync.Mutex
	// idle is a connection at rest; nil for none. More than one is not kept.
	idle *plainConn
}

// plainConn is a connection of a plainTransport.
type plainConn struct {
	net.Conn
	// left is how many bytes may still be read; beyond them Read gives beyond.
	left   int64
	beyond error
	// restsSince is when it was last put to rest.
	restsSince time.Time
}

// readBytes is how much is read of a connection at once: the usual answer to a poll, with
// its header.
const readBytes = 8 << 10

// maxInformational bounds the answers of status 1xx before the true one.
const maxInformational = 5

// repeatableHeader marks a request that may be sent twice, for net/http's transport as
// for ours. Without a value it does not go over the wire.
const repeatableHeader = "Idempotency-Key"

var errHeaderTooLong = fmt.Errorf("the header of the answer is longer than %d bytes", maxHeaderBytes)

// Read reads no more than is left.
func (c *plainConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.beyond
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// RoundTrip implements http.RoundTripper. The answer's body must be read to its end
// and closed for the connection to be used again. An agent may close a connection at
// rest in the very moment in which it is asked again: what may be repeated is sent
// once more, then.
func (t *plainTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	out := emptyBuffer(&t.buffers.encoded)
	defer t.buffers.encoded.Put(out)
	if err := req.Write(out); err != nil { // closes the request's body
		return nil, err
	}
	if conn := t.atRest(); conn != nil {
		resp, err := t.exchange(conn, out.Bytes(), req)
		_, repeatable := req.Header[repeatableHeader]
		heard := conn.left < maxHeaderBytes // something of an answer: the agent has begun with it
		if err == nil || !repeatable || heard || ctx.Err() != nil {
			return resp, causeOf(ctx, err)
		}
	}
	raw, err := t.dial(ctx, "tcp", t.address)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	resp, err := t.exchange(&plainConn{Conn: raw}, out.Bytes(), req)
	return resp, causeOf(ctx, err)
}

// exchange sends the encoded request and reads the header of the answer. It owns the
// connection, which after an error is closed.
func (t *plainTransport) exchange(conn *plainConn, encoded []byte, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	// A connection that is closed wakes whoever waits for it.
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	conn.left, conn.beyond = maxHeaderBytes, errHeaderTooLong
	if _, err := conn.Write(encoded); err != nil {
		release()
		_ = conn.Close()
		return nil, err
	}
	awaitData(conn.Conn) // a thousand wait at once, and not all of them need a buffer
	reader := t.buffers.reader(conn)
	resp, err := answerTo(conn, reader, req)
	if err != nil {
		release()
		_ = conn.Close()
		t.buffers.readers.Put(reader)
		if conn.left == maxHeaderBytes && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", errSilent, err)
		}
		return nil, err
	}
	resp.Body = &plainBody{ReadCloser: resp.Body, ctx: ctx, transport: t, conn: conn, reader: reader, release: release, last: resp.Close || req.Close}
	return resp, nil
}

// answerTo is the answer to a request that was sent, with its body to be read.
func answerTo(conn *plainConn, reader *bufio.Reader, req *http.Request) (*http.Response, error) {
	for range maxInformational {
		resp, err := http.ReadResponse(reader, req)
		if err != nil {
			return nil, notHTTP(err)
		}
		if resp.StatusCode >= 200 {
			conn.left, conn.beyond = 2*maxAnswerBytes, errTooLarge // the reader of the body is stricter
			return resp, nil
		}
	}
	return nil, errors.New("the agent answers with statuses below 200 alone")
}

// atRest gives the connection at rest, nil if there is none that can be used.
func (t *plainTransport) atRest() *plainConn {
	t.mu.Lock()
	conn := t.idle
	t.idle = nil
	t.mu.Unlock()
	if conn == nil || time.Since(conn.restsSince) < idleTimeout && silent(conn.Conn) {
		return conn
	}
	_ = conn.Close()
	return nil
}

// rest keeps a connection for the next request.
func (t *plainTransport) rest(conn *plainConn) {
	conn.restsSince = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle != nil {
		_ = conn.Close()
		return
	}
	t.idle = conn
}

// CloseIdleConnections is what http.Client calls.
func (t *plainTransport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle != nil {
		_ = t.idle.Close()
		t.idle = nil
	}
}

// plainBody is the body of an answer.
type plainBody struct {
	io.ReadCloser
	ctx       context.Context // a body ends with its request
	transport *plainTransport
	conn      *plainConn
	reader    *bufio.Reader
	// release ends the watch over the request's context; false if it has struck.
	release func() bool
	// last says that the connection takes no other request.
	last          bool
	ended, closed bool
}

func (b *plainBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended = true
		return n, err
	}
	return n, causeOf(b.ctx, notHTTP(err))
}

// Close gives the connection back, or ends it where something is left unread.
func (b *plainBody) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	clean := b.release() && b.ended && !b.last && b.reader.Buffered() == 0
	b.transport.buffers.readers.Put(b.reader)
	if clean {
		b.transport.rest(b.conn)
		return nil
	}
	return b.conn.Close()
}

// causeOf is why a request failed: the end of its context comes before what that did
// to the connection.
func causeOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// reader is a buffer to read a connection through.
func (b *Buffers) reader(conn *plainConn) *bufio.Reader {
	if r, ok := b.readers.Get().(*bufio.Reader); ok {
		r.Reset(conn)
		return r
	}
	return bufio.NewReaderSize(conn, readBytes)
}
