package jmx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Options steer a Client. The zero value is the default.
type Options struct {
	// Timeout bounds one poll, retries of a refused bulk included; 10 s if zero.
	Timeout time.Duration
	// DumpTimeout bounds the writing of a heap dump; 10 min if zero.
	DumpTimeout time.Duration
	// Buffers are those of all clients of a program; its own if nil.
	Buffers *Buffers
}

// Client talks to the agent of one target. Each method is for one goroutine at a
// time; different ones may run side by side, and take turns at the agent.
type Client struct {
	target jvm.Target
	opts   Options
	conns  connections
	fast   *tier[jvm.Snapshot]
	slow   *tier[jvm.Details]
	turn   turn
	// finalizerID is the thread that was the Finalizer last time; 0 for none.
	finalizerID int64
}

// New is a client for the target. It opens no connection yet.
func New(target jvm.Target, opts Options) *Client {
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.DumpTimeout == 0 {
		opts.DumpTimeout = 10 * time.Minute
	}
	if opts.Buffers == nil {
		opts.Buffers = NewBuffers()
	}
	return &Client{
		target: target,
		opts:   opts,
		conns:  newTransport(target, opts.Buffers),
		fast:   newTier(opts.Buffers.fast).alwaysAlike(),
		slow:   newTier(opts.Buffers.slow),
		turn:   newTurn(),
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.conns.CloseIdleConnections() }

// Poll asks for everything a Snapshot holds by one bulk request. Parts that the
// agent does not give are missing in the snapshot and named there; an error, an
// *Error, means that there is no answer at all, or an error in place of every part:
// so answers a JVM that is out of memory.
func (c *Client) Poll(ctx context.Context) (*jvm.Snapshot, error) {
	s := &jvm.Snapshot{}
	missing, err := poll(ctx, c, c.fast, s)
	if err != nil {
		return nil, err
	}
	if c.fast.answered == 0 && len(missing) > 0 {
		return nil, &Error{ReasonNoPart, fmt.Errorf("the agent answers, but has an error for each part, the first one: %s", missing[0].Reason)}
	}
	s.Time, s.Missing = time.Now(), missing
	return s, nil
}

// Details asks for everything a Details holds by one bulk request, as Poll does.
func (c *Client) Details(ctx context.Context) (*jvm.Details, error) {
	d := &jvm.Details{}
	missing, err := poll(ctx, c, c.slow, d)
	if err != nil {
		return nil, err
	}
	d.Time, d.Missing = time.Now(), missing
	return d, nil
}

// poll asks a tier within the time that one poll may take.
func poll[T any](ctx context.Context, c *Client, t *tier[T], result *T) ([]jvm.Missing, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	return t.ask(ctx, c, result)
}

// post sends one bulk and reads its answer, len(items) replies in their order.
// It returns errRejected where an item may be to blame, an *Error otherwise.
func (c *Client) post(ctx context.Context, items []request) ([]reply, error) {
	replies, _, err := c.timed(ctx, items)
	return replies, err
}

// bulk is an encoded request of some items. Whether it is repeatable, which it is if
// it does nothing but read, says that it may be sent twice.
type bulk struct {
	body       []byte
	repeatable bool
}

// postEncoded is post for an encoded bulk of n items.
func (c *Client) postEncoded(ctx context.Context, b bulk, n int) ([]reply, error) {
	a := &answer{buffers: c.opts.Buffers} // the replies outlive this call
	if err := c.send(ctx, a, b); err != nil {
		return nil, err
	}
	return a.replies(n)
}

// send sends a bulk and reads what is answered to it. Errors are those of post.
func (c *Client) send(ctx context.Context, a *answer, b bulk) error {
	_, err := c.inTurn(ctx, a, b)
	return err
}

// exchange is send for whoever has the turn.
func (c *Client) exchange(ctx context.Context, a *answer, b bulk) error {
	req := c.opts.Buffers.request()
	defer c.opts.Buffers.done(req)
	req.SetContext(over(ctx, c.conns)).SetBody(bytes.NewReader(b.body))
	if b.repeatable {
		req.Header[repeatableHeader] = nil
	}
	if err := authorize(req, c.target.Credentials); err != nil {
		return err
	}
	resp, err := req.Post(c.target.URL)
	if err != nil {
		return transportError(err)
	}
	if err := a.read(resp.RawBody()); err != nil {
		return transportError(err)
	}
	switch resp.StatusCode() {
	case 200:
		if packed := resp.Header().Get("Content-Encoding"); packed != "" && packed != "identity" {
			return &Error{ReasonDecode, fmt.Errorf("the agent's answer is compressed (%s), which was not asked for; does a proxy before it do that?", clip(packed))}
		}
		return nil
	case 400:
		return fmt.Errorf("%w: %s", errRejected, clip(a.body.String()))
	}
	return statusError(resp.StatusCode(), resp.Header())
}

// authorize sends the credentials with a request.
func authorize(req *resty.Request, credentials jvm.Credentials) error {
	authorization, err := authorization(credentials)
	if err != nil {
		return &Error{ReasonCredentials, err}
	}
	if authorization != "" {
		req.SetHeader("Authorization", authorization)
	}
	return nil
}

// rejection turns an errRejected that reached the caller into an *Error.
func rejection(err error) error {
	if errors.Is(err, errRejected) {
		return &Error{ReasonBulkRejected, err}
	}
	return err
}
