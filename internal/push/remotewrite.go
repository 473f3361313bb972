package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
)

const (
	defaultTimeout = 30 * time.Second
	// memoryWindow is how long VictoriaMetrics may keep accepted samples in memory
	// only: up to 14 s with its default settings, and some.
	memoryWindow = 20 * time.Second
	// maxAnswerBytes is how much of an answer is read for its text.
	maxAnswerBytes = 4 << 10
	// maxDrainBytes is how much more of it is read and thrown away.
	maxDrainBytes = 64 << 10
)

// RemoteWriteOptions are the settings of a remote-write destination.
type RemoteWriteOptions struct {
	// Timeout bounds one request; zero means 30 s.
	Timeout time.Duration
	// Window is how long a receiver of the VictoriaMetrics kind may hold accepted
	// samples in memory only; zero means 20 s. Receivers that do not speak its
	// zstd flavour nor its headers keep a log of their own and are trusted at once.
	Window time.Duration
	// Auth is added to what the URL says.
	Auth Auth
}

// remoteWrite speaks Prometheus remote write 1.0 with zstd (the flavour of
// VictoriaMetrics) or, where that is refused, with snappy.
type remoteWrite struct {
	info   DestinationInfo
	url    string
	opts   RemoteWriteOptions
	client *http.Client
	snappy bool
	// raw and packed are memory for snappy.
	raw, packed []byte
	answered    bool
	// storages are those behind a vminsert; nil for another receiver.
	storages *storages
}

// RemoteWrite is the destination at rawURL, such as
// http://host:8428/api/v1/write. Name and password in the URL are sent as basic
// authentication and shown nowhere, nor are the values of its query.
func RemoteWrite(rawURL string, opts RemoteWriteOptions) (Destination, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The text of a parse error repeats the URL, secrets included.
		return nil, errors.New("push: remote-write URL does not parse")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("push: remote-write URL %s: want http://host/path or https://host/path", maskURL(u))
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Window == 0 {
		opts.Window = memoryWindow
	}
	client, err := opts.Auth.clientOf(u.User)
	if err != nil {
		return nil, fmt.Errorf("push: remote-write URL %s: %w", maskURL(u), err)
	}
	id := ReceiverID(*u)
	return &remoteWrite{
		info:     DestinationInfo{ID: id, Label: maskURL(u)},
		url:      id,
		opts:     opts,
		storages: watchStorages(*u),
		client:   client,
	}, nil
}

// ReceiverID is the ID of the receiver at a URL: the URL without the user, who may change.
func ReceiverID(u url.URL) string {
	u.User, u.Fragment = nil, ""
	return u.String()
}

// maskURL is u without anything that may be secret.
func maskURL(u *url.URL) string {
	masked := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.RawQuery != "" {
		masked.RawQuery = "masked"
	}
	return masked.String()
}

// Info implements Destination.
func (d *remoteWrite) Info() DestinationInfo { return d.info }

// Deliver implements Destination.
func (d *remoteWrite) Deliver(ctx context.Context, b Batch) (Receipt, error) {
	if d.storages != nil {
		return d.deliverToCluster(ctx, b)
	}
	return d.deliver(ctx, b)
}

// deliver is Deliver for what is no cluster.
func (d *remoteWrite) deliver(ctx context.Context, b Batch) (Receipt, error) {
	receipt, verdict, err := d.send(ctx, b, d.snappy)
	if verdict != repack {
		return receipt, err
	}
	restarted := receipt.MayHaveRestarted
	receipt, verdict, err = d.send(ctx, b, true)
	receipt.MayHaveRestarted = receipt.MayHaveRestarted || restarted
	// Only a batch that snappy saves tells about the receiver.
	d.snappy = verdict == accepted
	return receipt, err
}

// send makes one request. A nil error comes with accepted or repack.
func (d *remoteWrite) send(ctx context.Context, b Batch, useSnappy bool) (Receipt, outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	fresh := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { fresh = !info.Reused },
	})
	req, err := d.request(ctx, b, useSnappy)
	switch {
	case errors.Is(err, ErrRejected):
		return Receipt{Code: "undecodable"}, never, err
	case err != nil:
		return Receipt{Code: "request"}, again, err
	}
	resp, err := d.client.Do(req)
	switch {
	case errors.Is(err, errCredentials):
		return Receipt{Code: "credentials"}, again, withoutURL(err)
	case err != nil:
		return Receipt{Code: transportCode(err), MayHaveRestarted: true}, again, withoutURL(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	// A connection with an answer read to its end is used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrainBytes)
	receipt := Receipt{
		Code: strconv.Itoa(resp.StatusCode),
		// The first connection of this process says nothing about a restart.
		MayHaveRestarted: fresh && d.answered || gatewayError(resp.StatusCode),
		RetryAfter:       retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	d.answered = true
	if err != nil && resp.StatusCode/100 != 2 {
		return receipt, again, withoutURL(err)
	}
	verdict := judge(resp.StatusCode, !useSnappy, string(text))
	switch verdict {
	case accepted:
		// Releases before 1.88 speak snappy alone, but all of them sign their answers.
		if !useSnappy || resp.Header.Get("X-Server-Hostname") != "" {
			receipt.Window, receipt.AnyOrder = d.opts.Window, true
		}
		return receipt, verdict, nil
	case repack:
		return receipt, verdict, nil
	case never:
		cause := ErrRejected
		if outOfOrder(string(text)) {
			cause = ErrOutOfOrder
		}
		return receipt, verdict, fmt.Errorf("%w: status %s: %s", cause, resp.Status, excerpt(text))
	default:
		return receipt, verdict, fmt.Errorf("status %s: %s", resp.Status, excerpt(text))
	}
}

// request builds the POST for b. The error wraps ErrRejected where b cannot be unpacked for snappy.
func (d *remoteWrite) request(ctx context.Context, b Batch, useSnappy bool) (*http.Request, error) {
	encoding, versionKey, version := "zstd", "X-VictoriaMetrics-Remote-Write-Version", "1"
	body := b.Frame
	if useSnappy {
		encoding, versionKey, version = "snappy", "X-Prometheus-Remote-Write-Version", "0.1.0"
		raw, err := b.WriteRequest(d.raw[:0])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRejected, err)
		}
		d.raw, d.packed = raw, snappy.Encode(d.packed[:cap(d.packed)], raw)
		body = d.packed
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("request cannot be built from the URL")
	}
	req.Header.Set("Content-Encoding", encoding)
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "apm-sidecar")
	req.Header.Set(versionKey, version)
	return req, nil
}

// transportCode sorts errors of the client for metrics.
func transportCode(err error) string {
	var t net.Error
	if errors.As(err, &t) && t.Timeout() {
		return "timeout"
	}
	return "transport"
}

// withoutURL strips the URL the HTTP client puts before its errors.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// excerpt is a text from outside, fit for a log line.
func excerpt(text []byte) string {
	const limit = 300
	s := strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strconv.Quote(s)
}
