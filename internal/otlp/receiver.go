package otlp

import (
	"compress/gzip"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// ErrFull is wrapped by the error of a Sink that has no room now: the sender is asked to
// come again.
var ErrFull = errors.New("too many spans wait here")

// Sink takes spans; it owns them afterwards. It may be called by several goroutines.
type Sink interface {
	// Take returns an error that wraps ErrFull where it took none of them.
	Take(groups []Group, now time.Time) error
}

const (
	// atOnce is how many requests are read at the same time; the others are asked to come
	// again.
	atOnce = 4
	// comeAgain is after how many seconds.
	comeAgain = 5
	// tracesPath is where the protocol has spans posted.
	tracesPath = "/v1/traces"
)

// ReceiverOptions build a Receiver.
type ReceiverOptions struct {
	Limits Limits
	Sink   Sink
	// TokenFile holds a bearer token that senders must show; it is read again for each
	// request. Empty asks for none.
	TokenFile string
}

// Receiver answers POST /v1/traces.
type Receiver struct {
	opts  ReceiverOptions
	turns chan struct{}
	set   *metrics.Set
}

// NewReceiver makes one.
func NewReceiver(opts ReceiverOptions) *Receiver {
	r := &Receiver{opts: opts, turns: make(chan struct{}, atOnce), set: metrics.NewSet()}
	r.count(Loss{}, 0)
	r.answered(http.StatusOK, 0)
	return r
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (r *Receiver) WriteMetrics(w io.Writer) { r.set.WritePrometheus(w) }

// refusal is an answer other than 200.
type refusal struct {
	code  int
	words string
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	content, no := r.admit(req)
	var answer []byte
	if no == nil {
		answer, no = r.take(w, req, content)
	}
	code := http.StatusOK
	if no != nil {
		code, answer = no.code, failure(content, no.words)
		if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", strconv.Itoa(comeAgain))
		}
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="apm-sidecar"`)
		}
	}
	r.answered(code, 1)
	w.Header().Set("Content-Type", content)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(answer) // a sender that hung up needs no answer
}

// admit judges a request by its head. content is the form of the answer.
func (r *Receiver) admit(req *http.Request) (content string, no *refusal) {
	content, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	known := err == nil && (content == contentProtobuf || content == contentJSON)
	if !known {
		content = contentJSON // for people who try it by hand
	}
	switch {
	case req.URL.Path != tracesPath:
		return content, &refusal{http.StatusNotFound, "spans alone are taken, at " + tracesPath + ": no metrics, no logs"}
	case req.Method != http.MethodPost:
		return content, &refusal{http.StatusMethodNotAllowed, "spans are posted"}
	case !r.trusted(req):
		return content, &refusal{http.StatusUnauthorized, "a bearer token, please (OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer ...)"}
	case !known:
		return content, &refusal{http.StatusUnsupportedMediaType, "the content type is neither " + contentProtobuf + " nor " + contentJSON}
	}
	return content, nil
}

// trusted tells whether the request shows the token, where one is asked for.
func (r *Receiver) trusted(req *http.Request) bool {
	if r.opts.TokenFile == "" {
		return true
	}
	text, err := os.ReadFile(r.opts.TokenFile)
	want := strings.TrimSpace(string(text))
	got, bearer := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if err != nil || want == "" || !bearer {
		return false
	}
	x, y := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// take reads the spans of a request and hands them over.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, content string) (answer []byte, no *refusal) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	default:
		return nil, &refusal{http.StatusServiceUnavailable, "others are being read: come again"}
	}
	body, no := r.body(w, req)
	if no != nil {
		return nil, no
	}
	decode := Decode
	if content == contentJSON {
		decode = DecodeJSON
	}
	groups, loss, err := decode(body, r.opts.Limits)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err.Error()}
	}
	spans := 0
	for _, g := range groups {
		spans += len(g.Spans)
	}
	if err := r.opts.Sink.Take(groups, time.Now()); err != nil {
		return nil, &refusal{http.StatusTooManyRequests, err.Error()}
	}
	r.count(loss, spans)
	return partial(content, loss.Rejected(), loss.String()), nil
}

// body reads and inflates a body within the limits.
func (r *Receiver) body(w http.ResponseWriter, req *http.Request) ([]byte, *refusal) {
	l := r.opts.Limits
	in := io.Reader(http.MaxBytesReader(w, req.Body, l.BodyBytes))
	switch encoding := strings.ToLower(req.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, unreadable(err, l)
		}
		in = z
	default:
		return nil, &refusal{http.StatusUnsupportedMediaType, "the content encoding is neither gzip nor identity"}
	}
	body, err := io.ReadAll(io.LimitReader(in, l.InflatedBytes+1))
	switch {
	case err != nil:
		return nil, unreadable(err, l)
	case int64(len(body)) > l.InflatedBytes:
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body inflates to more than %d bytes", l.InflatedBytes)}
	}
	return body, nil
}

func unreadable(err error, l Limits) *refusal {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", l.BodyBytes)}
	}
	return &refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
}

func (r *Receiver) answered(code, times int) {
	r.set.GetOrCreateCounter(fmt.Sprintf(`apm_sidecar_spans_requests_total{code="%d"}`, code)).Add(times)
}

// count counts what was taken and lost.
func (r *Receiver) count(loss Loss, spans int) {
	r.set.GetOrCreateCounter("apm_sidecar_spans_received_total").Add(spans)
	r.set.GetOrCreateCounter("apm_sidecar_spans_values_cut_total").Add(loss.Cut)
	for reason, n := range map[string]int{"no_id": loss.NoID, "no_time": loss.NoTime, "too_many": loss.TooMany} {
		r.set.GetOrCreateCounter(fmt.Sprintf("apm_sidecar_spans_rejected_total{reason=%q}", reason)).Add(n)
	}
}
