package jmx

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Buffers are what clients share: the questions, who sends them, and the memory in which
// answers are taken apart, for a thousand targets are not answered all at once, and their
// answers are alike. Safe for concurrent use.
type Buffers struct {
	fast *plan[jvm.Snapshot]
	slow *plan[jvm.Details]
	http *resty.Client
	// requests hold *resty.Request, bodies and encoded *bytes.Buffer, parsers
	// *fastjson.Parser, figures *figures, readers *bufio.Reader.
	requests, bodies, encoded, parsers, figures, readers sync.Pool
	shapes                                               *shapes
	// asking counts the requests of all clients that are under way.
	asking atomic.Int64
}

// NewBuffers are empty ones.
func NewBuffers() *Buffers {
	return &Buffers{fast: newPlan(fastTier()), slow: newPlan(slowTier()), http: newHTTP(), shapes: newShapes()}
}

// Asking is how many requests of all clients wait for their answer, or for their turn.
func (b *Buffers) Asking() int { return int(b.asking.Load()) }

// request is one without anything in it, until it is done.
func (b *Buffers) request() *resty.Request {
	if r, ok := b.requests.Get().(*resty.Request); ok {
		return r
	}
	return b.http.R()
}

// done takes a request back whose answer was read.
func (b *Buffers) done(r *resty.Request) {
	clear(r.Header) // credentials are among them
	r.Body, r.RawRequest = nil, nil
	b.requests.Put(r)
}

// answer is where one answer is read and taken apart. The values in it are valid
// until it is freed. It takes its memory when there is something to put into it: a
// thousand agents are waited for at once.
type answer struct {
	buffers *Buffers
	body    *bytes.Buffer
	parser  *fastjson.Parser
	// figures are its numbers where it was taken by its shape.
	figures *figures
}

// maxKeptBytes bounds the answers whose memory is used again.
const maxKeptBytes = 256 << 10

// free gives back the memory that was taken; what an answer of many bytes needed goes.
func (a *answer) free() {
	if a.figures != nil {
		a.figures.answer = nil
		clear(a.figures.replies)
		a.buffers.figures.Put(a.figures)
	}
	if a.body == nil || a.body.Cap() > maxKeptBytes {
		return
	}
	a.buffers.bodies.Put(a.body)
	if a.parser != nil {
		a.buffers.parsers.Put(a.parser)
	}
}

// read reads a body to its end and closes it.
func (a *answer) read(body io.ReadCloser) error {
	defer body.Close()
	a.body = emptyBuffer(&a.buffers.bodies)
	n, err := a.body.ReadFrom(io.LimitReader(body, maxAnswerBytes+1))
	if err == nil && n > maxAnswerBytes {
		err = errTooLarge
	}
	return err
}

// replies are those to a bulk of n items.
func (a *answer) replies(n int) ([]reply, error) {
	var ok bool
	if a.parser, ok = a.buffers.parsers.Get().(*fastjson.Parser); !ok {
		a.parser = &fastjson.Parser{}
	}
	return parseBulk(a.parser, a.body.Bytes(), n)
}

// emptyBuffer takes one from the pool.
func emptyBuffer(pool *sync.Pool) *bytes.Buffer {
	if b, ok := pool.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return &bytes.Buffer{}
}

// alike are the replies to a bulk that is answered nearly the same again and again,
// last time by the shape in hint, which it keeps.
func (a *answer) alike(n int, hint **shape) ([]reply, error) {
	var ok bool
	if a.figures, ok = a.buffers.figures.Get().(*figures); !ok {
		a.figures = &figures{}
	}
	found := a.buffers.shapes.find(a.figures, a.body.Bytes(), *hint, time.Now())
	if found == nil {
		return a.replies(n)
	}
	*hint = found
	replies, err := bulkReplies(a.figures.replies, value{found.root, a.figures}, n)
	if err == nil {
		a.figures.replies = replies
	}
	return replies, err
}
