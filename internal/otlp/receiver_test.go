package otlp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

// sink takes spans as a test wants.
type sink func(groups []otlp.Group) error

func (s sink) Take(groups []otlp.Group, _ time.Time) error { return s(groups) }

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

const (
	protobuf = "application/x-protobuf"
	inJSON   = "application/json"
)

// TestReceiver goes through what senders may do, right and wrong.
func TestReceiver(t *testing.T) {
	t.Parallel()
	var taken []otlp.Group
	full := false
	limits := otlp.DefaultLimits()
	limits.BodyBytes, limits.InflatedBytes, limits.Spans = 8<<10, 64<<10, 2
	r := otlp.NewReceiver(otlp.ReceiverOptions{Limits: limits, Sink: sink(func(groups []otlp.Group) error {
		if full {
			return fmt.Errorf("%w: no room", otlp.ErrFull)
		}
		taken = append(taken, groups...)
		return nil
	})})
	good, text := file(t, "request.pb"), file(t, "request.json")
	third := sent()
	third[0].Spans = append(third[0].Spans, third[0].Spans[1])
	for _, c := range []struct {
		name, method, path, content, encoding string
		body                                  []byte
		full                                  bool
		code, spans                           int
		answer                                string
	}{
		{name: "protobuf", content: protobuf, body: good, code: 200, spans: 2},
		{name: "JSON", content: inJSON + "; charset=utf-8", body: text, code: 200, spans: 2, answer: "{}"},
		{name: "gzip", content: protobuf, encoding: "gzip", body: zipped(t, good), code: 200, spans: 2},
		{name: "nothing", content: protobuf, code: 200},
		{name: "some rejected", content: inJSON, body: []byte(strings.Replace(string(text), `"spanId": "eee19b7ec3c1b175"`, `"spanId": ""`, 1)), code: 200, spans: 1,
			answer: `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1 without a valid trace and span id"}}`},
		{name: "too many", content: protobuf, body: otlp.Encode(third), code: 200, spans: 2, answer: "$\x08\x01\x12 1 more than one request may have"},
		{name: "full", content: inJSON, body: text, full: true, code: 429, answer: `{"message":"too many spans wait here: no room"}`},
		{name: "no protobuf", content: protobuf, body: []byte("hello"), code: 400},
		{name: "no JSON", content: inJSON, body: []byte("{"), code: 400},
		{name: "no gzip", content: protobuf, encoding: "gzip", body: good, code: 400},
		{name: "cut gzip", content: protobuf, encoding: "gzip", body: zipped(t, good)[:100], code: 400},
		{name: "bomb", content: protobuf, encoding: "gzip", body: zipped(t, make([]byte, 1<<20)), code: 413},
		{name: "large", content: protobuf, body: make([]byte, 9<<10), code: 413},
		{name: "other encoding", content: protobuf, encoding: "zstd", body: good, code: 415},
		{name: "other content", content: "text/plain", body: good, code: 415},
		{name: "metrics", path: "/v1/metrics", content: protobuf, body: good, code: 404},
		{name: "read", method: http.MethodGet, content: protobuf, code: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			taken, full = nil, c.full
			method, path := c.method, c.path
			if method == "" {
				method = http.MethodPost
			}
			if path == "" {
				path = "/v1/traces"
			}
			req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(c.body))
			req.Header.Set("Content-Type", c.content)
			req.Header.Set("Content-Encoding", c.encoding)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			assert.Equal(t, c.code, w.Code, w.Body)
			n := 0
			for _, g := range taken {
				n += len(g.Spans)
			}
			assert.Equal(t, c.spans, n)
			if c.answer != "" {
				assert.Equal(t, c.answer, strings.ReplaceAll(w.Body.String(), "\n", ""))
			}
			assert.Equal(t, c.code == 429 || c.code == 503, w.Header().Get("Retry-After") != "")
			if c.content == inJSON {
				assert.Contains(t, w.Header().Get("Content-Type"), "/json")
				assert.True(t, json.Valid(w.Body.Bytes()))
			}
		})
	}
	var metrics strings.Builder
	r.WriteMetrics(&metrics)
	assert.Contains(t, metrics.String(), "apm_sidecar_spans_requests_total{code=\"429\"} 1\n")
	assert.Contains(t, metrics.String(), "apm_sidecar_spans_rejected_total{reason=\"no_id\"} 1\n")
	assert.Contains(t, metrics.String(), "apm_sidecar_spans_rejected_total{reason=\"too_many\"} 1\n")
	assert.Contains(t, metrics.String(), "apm_sidecar_spans_received_total 9\n")
}

// TestReceiverAsksForTheToken, and takes a new one from the file without a restart.
func TestReceiverAsksForTheToken(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	r := otlp.NewReceiver(otlp.ReceiverOptions{Limits: otlp.DefaultLimits(), Sink: sink(func([]otlp.Group) error { return nil }), TokenFile: token})
	f := func(authorization string, want int) {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/traces", bytes.NewReader(file(t, "request.pb")))
		req.Header.Set("Content-Type", protobuf)
		req.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		assert.Equal(t, want, w.Code, authorization)
	}
	f("Bearer ", 401) // no file yet
	require.NoError(t, os.WriteFile(token, []byte("first\n"), 0o600))
	f("Bearer first", 200)
	f("Bearer second", 401)
	f("first", 401)
	f("", 401)
	require.NoError(t, os.WriteFile(token, []byte("second"), 0o600))
	f("Bearer second", 200)
	require.NoError(t, os.WriteFile(token, nil, 0o600))
	f("Bearer ", 401)
}

// TestReceiverIsBusy: more requests at once than are read are asked to come again.
func TestReceiverIsBusy(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	r := otlp.NewReceiver(otlp.ReceiverOptions{Limits: otlp.DefaultLimits(), Sink: sink(func([]otlp.Group) error {
		inside <- struct{}{}
		<-leave
		return nil
	})})
	home := httptest.NewServer(r)
	t.Cleanup(home.Close)
	post := func() int {
		resp, err := http.Post(home.URL+"/v1/traces", protobuf, bytes.NewReader(file(t, "request.pb")))
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	codes := make(chan int, 4)
	for range 4 {
		go func() { codes <- post() }()
	}
	for range 4 {
		<-inside
	}
	assert.Equal(t, http.StatusServiceUnavailable, post())
	close(leave)
	for range 4 {
		assert.Equal(t, http.StatusOK, <-codes)
	}
}
