package jmx

import (
	"context"
	"fmt"
	"time"

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
	waits  waits
	// tomcat is for looks at requests.
	tomcat tomcatDomain
	// origin is what the agent is told to be the origin of requests, its own address; empty until it
	// wants one. Whoever has the turn may write it.
	origin string
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
// *Error, means that there is no answer at all, or an error or nothing in place of every
// part: so answers a JVM that is out of memory.
func (c *Client) Poll(ctx context.Context) (*jvm.Snapshot, error) {
	s := &jvm.Snapshot{}
	missing, err := poll(ctx, c, c.fast, s)
	if err != nil {
		return nil, err
	}
	if c.fast.answered == 0 && len(missing) > 0 {
		return nil, &Error{ReasonNoPart, fmt.Errorf("the agent answers, but gives nothing that it is asked for; the first part: %s", missing[0].Reason)}
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
