package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const (
	// maxQueueBytes bounds the spans in memory that wait for a backend, as Memory counts
	// them; maxBatchSpans those of one request.
	maxQueueBytes = 32 << 20
	maxBatchSpans = 2000
	// The wait after a failure doubles; a batch is given up after giveUp.
	firstRetry = time.Second
	lastRetry  = time.Minute
	giveUp     = 5 * time.Minute
	// farewell is the time for what still waits at the end.
	farewell = 2 * time.Second
	// maxReplyBytes is how much of an answer is read.
	maxReplyBytes = 4 << 10
)

// Doer sends requests; *http.Client is one.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// ExporterOptions build an Exporter.
type ExporterOptions struct {
	// URL is where to post, such as http://127.0.0.1:4318/v1/traces.
	URL string
	// Client adds the credentials.
	Client Doer
	// Timeout bounds one request; 10 s if zero.
	Timeout time.Duration
	Logger  *slog.Logger
}

// Exporter sends spans to one OTLP backend, from a bounded queue in memory. What the
// backend does not take in time is dropped and counted.
type Exporter struct {
	opts ExporterOptions
	set  *metrics.Set
	// some has a value when spans were queued since it was last taken.
	some chan struct{}

	// mu guards the queue.
	mu    sync.Mutex
	queue []queued
	bytes int
}

// queued is a group with what it takes in memory.
type queued struct {
	group Group
	bytes int
}

// NewExporter makes one; Run sends.
func NewExporter(opts ExporterOptions) *Exporter {
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	e := &Exporter{opts: opts, set: metrics.NewSet(), some: make(chan struct{}, 1)}
	e.set.NewGauge("apm_sidecar_spans_export_queue_bytes", func() float64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return float64(e.bytes)
	})
	e.sent(0)
	e.requests("200", 0)
	for _, reason := range []string{dropFull, dropRejected, dropGivenUp} {
		e.dropped(reason, 0)
	}
	return e
}

// The reasons why spans are not sent.
const (
	dropFull     = "queue_full"
	dropRejected = "rejected"
	dropGivenUp  = "given_up"
)

// WriteMetrics writes the self metrics in Prometheus' text form.
func (e *Exporter) WriteMetrics(w io.Writer) { e.set.WritePrometheus(w) }

func (e *Exporter) sent(spans int) {
	e.set.GetOrCreateCounter("apm_sidecar_spans_exported_total").Add(spans)
}

func (e *Exporter) dropped(reason string, spans int) {
	e.set.GetOrCreateCounter(fmt.Sprintf("apm_sidecar_spans_export_dropped_total{reason=%q}", reason)).Add(spans)
}

// Send queues spans, which must not be changed afterwards. It never waits.
func (e *Exporter) Send(groups []Group) {
	e.mu.Lock()
	for _, g := range groups {
		q := queued{g, g.Memory()}
		if e.bytes+q.bytes > maxQueueBytes {
			e.dropped(dropFull, len(g.Spans))
			continue
		}
		e.bytes += q.bytes
		e.queue = append(e.queue, q)
	}
	e.mu.Unlock()
	select {
	case e.some <- struct{}{}:
	default:
	}
}

// next takes the spans of one request off the queue.
func (e *Exporter) next() (groups []Group, spans int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for n < len(e.queue) && (n == 0 || spans+len(e.queue[n].group.Spans) <= maxBatchSpans) {
		groups = append(groups, e.queue[n].group)
		spans += len(e.queue[n].group.Spans)
		e.bytes -= e.queue[n].bytes
		n++
	}
	e.queue = e.queue[n:]
	if len(e.queue) == 0 {
		e.queue = nil
	}
	return groups, spans
}

// Run sends until ctx ends, and then for a moment what still waits.
func (e *Exporter) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-e.some:
			e.drain(ctx)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	e.drain(last)
	return nil
}

// drain sends all that is queued.
func (e *Exporter) drain(ctx context.Context) {
	for ctx.Err() == nil {
		groups, spans := e.next()
		if spans == 0 {
			return
		}
		body, err := pack(Encode(groups))
		if err == nil {
			err = e.deliver(ctx, body, spans)
		}
		switch {
		case err == nil:
		case errors.Is(err, errRejected):
			e.dropped(dropRejected, spans)
			e.opts.Logger.Warn("spans were rejected by their receiver", "spans", spans, "error", err)
		default:
			e.dropped(dropGivenUp, spans)
			e.opts.Logger.Warn("spans are lost: their receiver did not take them", "spans", spans, "error", err)
		}
	}
}

func pack(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// errRejected says that the receiver will never take a batch.
var errRejected = errors.New("rejected")

// deliver posts a batch until it is taken, rejected, or too old.
func (e *Exporter) deliver(ctx context.Context, body []byte, spans int) error {
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		pause, err := e.post(ctx, body, spans)
		if err == nil || errors.Is(err, errRejected) {
			return err
		}
		timer := time.NewTimer(max(wait, min(pause, lastRetry)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// post makes one request; pause is for how long the receiver asked to wait.
func (e *Exporter) post(ctx context.Context, body []byte, spans int) (pause time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.opts.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("%w: no request can be made for the URL", errRejected)
	}
	req.Header.Set("Content-Type", contentProtobuf)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", "apm-sidecar")
	resp, err := e.opts.Client.Do(req)
	if err != nil {
		e.requests("transport", 1)
		return 0, withoutURL(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	e.requests(strconv.Itoa(resp.StatusCode), 1)
	switch code := resp.StatusCode; {
	case code/100 == 2 && err != nil, again(code):
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // a date is no hurry either
		return time.Duration(seconds) * time.Second, fmt.Errorf("status %s", resp.Status)
	case code/100 != 2:
		return 0, fmt.Errorf("%w: status %s", errRejected, resp.Status)
	}
	refused, words := rejection(answer)
	refused = min(max(0, refused), int64(spans))
	if refused > 0 {
		e.dropped(dropRejected, int(refused))
		e.opts.Logger.Warn("some spans were rejected by their receiver", "spans", refused, "words", strconv.Quote(words))
	}
	e.sent(spans - int(refused))
	return 0, nil
}

// again tells the statuses after which the protocol has a batch sent again.
func again(code int) bool {
	switch code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (e *Exporter) requests(code string, times int) {
	e.set.GetOrCreateCounter(fmt.Sprintf("apm_sidecar_spans_export_requests_total{code=%q}", code)).Add(times)
}

// withoutURL strips the URL that the HTTP client puts before its errors: it may have
// secrets.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
