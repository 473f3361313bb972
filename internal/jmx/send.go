package jmx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// The ways of a bulk to the agent and back. Whoever has items calls one of the first three,
// whoever has encoded them before one of the next two:
//
//	post ──► timed ──► timedInto ─┐
//	          postEncoded ──► send ┴─► inTurn ──► exchange ──► the agent
//
// With timedInto and send the caller says where the answer is read, and frees it.

// post sends one bulk and reads its answer, len(items) replies in their order.
// It returns errRejected where an item may be to blame, an *Error otherwise.
func (c *Client) post(ctx context.Context, items []request) ([]reply, error) {
	replies, _, err := c.timed(ctx, items)
	return replies, err
}

// timing is when a request was sent, its turn having come, and answered.
type timing struct{ sent, received time.Time }

// took is the time between the two.
func (t timing) took() time.Duration { return t.received.Sub(t.sent) }

// timed is post with the time it took, the wait for its turn left out.
func (c *Client) timed(ctx context.Context, items []request) ([]reply, timing, error) {
	return c.timedInto(ctx, &answer{buffers: c.opts.Buffers}, items) // the replies outlive this call
}

// timedInto is timed with replies that are valid until the answer is freed.
func (c *Client) timedInto(ctx context.Context, a *answer, items []request) ([]reply, timing, error) {
	encoded, err := encode(items)
	if err != nil {
		return nil, timing{}, err
	}
	took, err := c.inTurn(ctx, a, encoded)
	if err != nil {
		return nil, took, err
	}
	replies, err := a.replies(len(items))
	return replies, took, err
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

// inTurn sends a bulk when its turn has come, and reads what is answered to it. Errors are
// those of post.
func (c *Client) inTurn(ctx context.Context, a *answer, b bulk) (timing, error) {
	c.opts.Buffers.asking.Add(1)
	defer c.opts.Buffers.asking.Add(-1)
	if err := c.turn.take(ctx); err != nil {
		return timing{}, err
	}
	defer c.turn.end()
	sent := time.Now()
	err := c.exchange(ctx, a, b)
	took := timing{sent, time.Now()}
	c.waits.add(took, err)
	return took, err
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
	if c.origin != "" {
		req.SetHeader("Origin", c.origin)
	}
	resp, err := req.Post(c.target.URL)
	if err != nil {
		return transportError(err)
	}
	if err := a.read(resp.RawBody()); err != nil {
		return transportError(err)
	}
	if c.origin == "" && wantsOrigin(a.body.Bytes()) {
		c.origin = originOf(c.target.URL)
		return c.exchange(ctx, a, b)
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

// wantsOrigin tells the refusal of an agent whose policy has strict-checking, as that of ActiveMQ
// has: it takes requests of web pages of known origins, and nothing without an origin.
func wantsOrigin(answer []byte) bool {
	const longest = 4 << 10
	return len(answer) < longest && bytes.Contains(answer, []byte("Origin null is not allowed"))
}

// originOf is the origin of a page that the agent itself would serve.
func originOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
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
