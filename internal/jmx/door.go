package jmx

import (
	"bytes"
	"context"
	"net/url"
)

// TakesGET tells whether the agent answers a GET, with the target's credentials: if so,
// whoever refuses the POST of the same client is not the agent.
func (c *Client) TakesGET(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	if c.turn.take(ctx) != nil {
		return false
	}
	defer c.turn.end()
	req := c.opts.Buffers.request()
	defer c.opts.Buffers.done(req)
	req.SetContext(over(ctx, c.conns))
	if authorize(req, c.target.Credentials) != nil {
		return false
	}
	resp, err := req.Get(c.target.URL + "version")
	if err != nil {
		return false
	}
	a := &answer{buffers: c.opts.Buffers}
	return a.read(resp.RawBody()) == nil && resp.StatusCode() == 200 && bytes.Contains(a.body.Bytes(), []byte(`"protocol"`))
}

// Elsewhere looks for an agent at the paths of the target's server where agents usually
// are, and returns its URL, "" where there is none.
func (c *Client) Elsewhere(ctx context.Context) string {
	u, err := url.Parse(c.target.URL)
	if err != nil {
		return ""
	}
	asked := u.Path
	for _, path := range []string{"/jolokia/", "/actuator/jolokia/"} {
		if path == asked {
			continue
		}
		other := c.target
		u.Path = path
		other.URL = u.String()
		client := New(other, c.opts)
		agent, err := client.Version(ctx)
		client.Close()
		if err == nil && agent.Version != "" {
			return other.URL
		}
	}
	return ""
}
