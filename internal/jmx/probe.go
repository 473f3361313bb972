package jmx

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"
)

// singleTimeout is how long an agent may take to answer while another client is
// slow.
const singleTimeout = 2 * time.Second

// Agent is what an agent says of itself.
type Agent struct {
	// Version is the agent's, such as 2.6.0, Protocol that of its protocol.
	Version, Protocol string
}

// Version asks the agent for its version.
func (c *Client) Version(ctx context.Context) (*Agent, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	replies, err := c.post(ctx, []request{{Type: "version", Config: execConfig()}})
	if err != nil {
		return nil, rejection(err)
	}
	a := &Agent{}
	if v := replies[0].value; v.exists() {
		a.Version, a.Protocol = v.get("agent").text(), v.get("protocol").text()
	}
	return a, nil
}

// Allows tells which kinds of requests the agent lets through that the sidecar never
// makes: exec and write of any MBean, search, and the reading of any attribute.
func (c *Client) Allows(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	var allowed []string
	for _, kind := range []string{"exec", "write", "read", "search"} {
		denied, err := c.denies(ctx, kind)
		if err != nil {
			return nil, err
		}
		if !denied {
			allowed = append(allowed, kind)
		}
	}
	return allowed, nil
}

// denies tells whether a request of that kind is refused. Where the agent's policy does so, nobody
// behind it is asked.
func (c *Client) denies(ctx context.Context, kind string) (bool, error) {
	for _, item := range probes(kind) {
		// One at a time: some agents refuse a bulk for one faulty item.
		denied, err := refused(c.postEncoded(ctx, bulk{body: []byte("[" + item + "]")}, 1))
		if denied || err != nil {
			return denied, err
		}
	}
	return false, nil
}

// probes are requests of a kind that harm nothing, none of which an agent refuses that allows the
// kind. One is of an MBean that no JVM has: a policy refuses before anyone looks for it. Who guards
// the MBeans behind the agent, as ActiveMQ Artemis does, is asked only where there is one: to set an
// option of a name that none has, and an attribute that cannot be written.
func probes(kind string) []string {
	// A write wants its attribute as a word, not as a list.
	unknown := fmt.Sprintf(`{"type":%q,"mbean":"apm-sidecar:type=Probe","operation":"probe","attribute":"Probe","value":0}`, kind)
	switch kind {
	case "exec":
		return []string{unknown, `{"type":"exec","mbean":"` + hotSpotDiagnostic + `","operation":"setVMOption(java.lang.String,java.lang.String)","arguments":["apm-sidecar-none","0"]}`}
	case "write":
		return []string{unknown, `{"type":"write","mbean":"java.lang:type=Runtime","attribute":"Name","value":"apm-sidecar-none"}`}
	}
	return []string{unknown}
}

// refused tells of the answer to a bulk of one whether the policy refused it. That the agent
// refused it for another reason is no error.
func refused(replies []reply, err error) (bool, error) {
	switch {
	case Reason(err) == ReasonDenied:
		return true, nil
	case err == nil:
		return replies[0].status == 403, nil
	case Reason(rejection(err)) == ReasonBulkRejected:
		return false, nil
	}
	return false, err
}

// ServesOneAtATime tells whether the agent leaves everyone waiting while one client
// is slow: the JVM agent's option executor=single, its default. It plays the slow
// client for a moment. Of agents behind TLS it is not known, and false.
func (c *Client) ServesOneAtATime(ctx context.Context) (bool, error) {
	u, err := url.Parse(c.target.URL)
	if err != nil || u.Scheme != "http" {
		return false, err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return false, transportError(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST ")); err != nil {
		return false, transportError(err)
	}
	inTime := func() bool {
		ctx, cancel := context.WithTimeout(ctx, singleTimeout)
		defer cancel()
		_, err := c.Version(ctx)
		return Reason(err) != ReasonTimeout
	}
	c.conns.CloseIdleConnections() // a new connection has to wait its turn
	if inTime() {
		return false, nil
	}
	// A JVM that is short of processors is slow for everyone, whoever else is there.
	_ = conn.Close() // the slow client's
	return inTime(), nil
}
