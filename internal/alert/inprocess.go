package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswerBytes bounds the answer to one query.
const maxAnswerBytes = 64 << 20

// inProcess sends requests to a handler of this process, without a network.
type inProcess struct {
	handler http.Handler
}

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context()) // handlers may change it
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(a, in)
	if a.tooLong {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswerBytes)
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	tooLong bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) {
	if a.body.Len()+len(p) > maxAnswerBytes {
		a.tooLong = true
		return 0, errors.New("the answer is too long")
	}
	return a.body.Write(p)
}
