package push

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// receiver is a remote-write endpoint; answer decides what it says.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	accepted []float64
	// onValues is given what is accepted, when set before the first request.
	onValues func([]float64)
}

// newReceiver starts one; answer may be nil, meaning 204 to everything.
func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request) (done bool)) *receiver {
	t.Helper()
	rc := &receiver{}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc.mu.Lock()
		rc.requests = append(rc.requests, r)
		n := len(rc.requests)
		rc.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil || answer != nil && answer(n, w, r) {
			return
		}
		values := decodeValues(unpack(t, r.Header.Get("Content-Encoding"), body))
		rc.mu.Lock()
		rc.accepted = append(rc.accepted, values...)
		rc.mu.Unlock()
		if rc.onValues != nil {
			rc.onValues(values)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(rc.Close)
	return rc
}

// seen are the requests so far.
func (rc *receiver) seen() []*http.Request {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]*http.Request(nil), rc.requests...)
}

// values are those accepted so far.
func (rc *receiver) values() []float64 {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]float64(nil), rc.accepted...)
}

func unpack(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	var out []byte
	var err error
	switch encoding {
	case "zstd":
		z, zerr := zstd.NewReader(nil)
		require.NoError(t, zerr)
		defer z.Close()
		out, err = z.DecodeAll(body, nil)
	case "snappy":
		out, err = snappy.Decode(nil, body)
	default:
		t.Errorf("unknown encoding %q", encoding)
	}
	assert.NoError(t, err)
	return out
}

// batch is one of a single sample.
func batch(t *testing.T, value float64) Batch {
	t.Helper()
	var e encoder
	e.add([]series.Sample{testSample(value)})
	p, err := newPacking()
	require.NoError(t, err)
	return Batch{p.pack(nil, e.raw), e.n, p}
}

func remote(t *testing.T, url string, opts RemoteWriteOptions) *remoteWrite {
	t.Helper()
	d, err := RemoteWrite(url, opts)
	require.NoError(t, err)
	t.Cleanup(d.(*remoteWrite).client.CloseIdleConnections)
	return d.(*remoteWrite)
}

func TestRemoteWriteSpeaksZstdFirst(t *testing.T) {
	rc := newReceiver(t, nil)
	d := remote(t, rc.URL+"/api/v1/write", RemoteWriteOptions{})
	receipt, err := d.Deliver(t.Context(), batch(t, 1))
	require.NoError(t, err)
	assert.Equal(t, Receipt{Code: "204", Window: memoryWindow, AnyOrder: true}, receipt)
	h := rc.seen()[0].Header
	assert.Equal(t, "zstd", h.Get("Content-Encoding"))
	assert.Equal(t, "1", h.Get("X-VictoriaMetrics-Remote-Write-Version"))
	assert.Equal(t, "application/x-protobuf", h.Get("Content-Type"))
	assert.Equal(t, []float64{1}, rc.values())
}

// snappyAlone answers zstd as Prometheus does.
func snappyAlone(_ int, w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Content-Encoding") == "snappy" {
		return false
	}
	http.Error(w, "snappy: corrupt input", http.StatusBadRequest)
	return true
}

func TestRemoteWriteFallsBackToSnappyOnce(t *testing.T) {
	rc := newReceiver(t, snappyAlone)
	d := remote(t, rc.URL, RemoteWriteOptions{})
	for i := range 3 {
		receipt, err := d.Deliver(t.Context(), batch(t, float64(i)))
		require.NoError(t, err)
		assert.Zero(t, receipt.Window, "a receiver of the Prometheus kind has a log of its own")
	}
	assert.Len(t, rc.seen(), 4)
	assert.Equal(t, "0.1.0", rc.seen()[3].Header.Get("X-Prometheus-Remote-Write-Version"))
	assert.Equal(t, []float64{0, 1, 2}, rc.values())
}

// TestRemoteWriteOfWhatDoesNotUnpack: a receiver that wants snappy will never get it, and what is behind it must
// not wait for that.
func TestRemoteWriteOfWhatDoesNotUnpack(t *testing.T) {
	rc := newReceiver(t, snappyAlone)
	d := remote(t, rc.URL, RemoteWriteOptions{})
	for i := range 2 { // the receiver is known for snappy at the second time
		b := batch(t, float64(i))
		broken := b
		broken.Frame = b.Frame[:len(b.Frame)-1]
		receipt, err := d.Deliver(t.Context(), broken)
		assert.ErrorIs(t, err, ErrRejected)
		assert.Equal(t, "undecodable", receipt.Code)
		_, err = d.Deliver(t.Context(), b)
		require.NoError(t, err)
	}
	assert.Equal(t, []float64{0, 1}, rc.values())
}

func TestRemoteWriteOneBadBatchIsNoDowngrade(t *testing.T) {
	rc := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n <= 2 {
			http.Error(w, "cannot parse <it>", http.StatusBadRequest)
		}
		return n <= 2
	})
	d := remote(t, rc.URL, RemoteWriteOptions{})
	_, err := d.Deliver(t.Context(), batch(t, 1))
	require.ErrorIs(t, err, ErrRejected)
	assert.ErrorContains(t, err, `400 Bad Request: "cannot parse <it>"`)
	_, err = d.Deliver(t.Context(), batch(t, 2))
	require.NoError(t, err)
	assert.Equal(t, "zstd", rc.seen()[2].Header.Get("Content-Encoding"))
}

func TestRemoteWriteErrorsThatPass(t *testing.T) {
	for name, answer := range map[string]func(int, http.ResponseWriter, *http.Request) bool{
		"500": func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true },
		"404": func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true },
		"redirect": func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		},
		"hung up": func(int, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			rc := newReceiver(t, answer)
			_, err := remote(t, rc.URL, RemoteWriteOptions{}).Deliver(t.Context(), batch(t, 1))
			require.Error(t, err)
			assert.NotErrorIs(t, err, ErrRejected)
			assert.Len(t, rc.seen(), 1)
		})
	}
}

func TestRemoteWriteHungReceiverTimesOut(t *testing.T) {
	rc := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	receipt, err := remote(t, rc.URL, RemoteWriteOptions{Timeout: 50 * time.Millisecond}).Deliver(t.Context(), batch(t, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, Receipt{Code: "timeout", MayHaveRestarted: true}, receipt)
}

func TestRemoteWriteSeesANewConnection(t *testing.T) {
	rc := newReceiver(t, nil)
	d := remote(t, rc.URL, RemoteWriteOptions{})
	for i, want := range []bool{false, false, true, false} {
		if i == 2 {
			d.client.CloseIdleConnections()
		}
		receipt, err := d.Deliver(t.Context(), batch(t, 1))
		require.NoError(t, err)
		assert.Equal(t, want, receipt.MayHaveRestarted, "delivery %d", i)
	}
}

func TestRemoteWriteEndlessAnswerIsNotRead(t *testing.T) {
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(500)
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("\xffx"), 1<<15)); err != nil {
				break
			}
		}
		return true
	})
	_, err := remote(t, rc.URL, RemoteWriteOptions{}).Deliver(t.Context(), batch(t, 1))
	require.Error(t, err)
	assert.Less(t, len(err.Error()), 2000)
}

func TestRemoteWriteSecretsAreShownNowhere(t *testing.T) {
	var log bytes.Buffer
	rc := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			panic(http.ErrAbortHandler)
		}
		if r.ContentLength < 20 { // nothing in it
			return false
		}
		w.WriteHeader(http.StatusConflict)
		return true
	})
	u := strings.Replace(rc.URL, "//", "//user:hush1@", 1) + "/write?token=hush2"
	d := remote(t, u, RemoteWriteOptions{})
	p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	appendValues(t, p, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	require.Eventually(t, func() bool { // the second answer has come
		return strings.Contains(writtenMetrics(p), `code="409"`)
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	var text bytes.Buffer
	p.WriteMetrics(&text)
	require.NoError(t, p.Close())

	user, password, _ := rc.seen()[0].BasicAuth()
	assert.Equal(t, "user:hush1", user+":"+password)
	assert.Equal(t, "hush2", rc.seen()[0].URL.Query().Get("token"))
	assert.Contains(t, text.String(), "/write?masked")
	assert.Contains(t, log.String(), "samples dropped")
	assert.NotContains(t, text.String()+log.String(), "hush")
	assert.NotContains(t, d.Info().ID, "hush1", "a new password keeps the queue")

	for _, bad := range []string{"http://user:hush1@", "ftp://user:hush1@h/?token=hush2", "http://user:hush1@h:port/%zz", "h:80/x?hush"} {
		_, err := RemoteWrite(bad, RemoteWriteOptions{})
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "hush", bad)
	}
}

func TestRunLeavesNoGoroutine(t *testing.T) {
	rc := newReceiver(t, nil)
	d := remote(t, rc.URL, RemoteWriteOptions{})
	ignore := goleak.IgnoreCurrent()
	p, stop := startPusher(t, t.TempDir(), d)
	appendValues(t, p, 1)
	require.Eventually(t, func() bool { return len(rc.values()) == 1 }, time.Minute, time.Millisecond)
	stop()
	d.client.CloseIdleConnections()
	rc.Close()
	goleak.VerifyNone(t, ignore)
}

// A proxy answers in the place of a receiver that is gone, on a connection that holds.
func TestRemoteWriteBehindAProxyMayHaveRestarted(t *testing.T) {
	f := func(status int, want bool) {
		rc := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true })
		receipt, err := remote(t, rc.URL, RemoteWriteOptions{}).Deliver(t.Context(), batch(t, 1))
		require.Error(t, err)
		assert.Equal(t, want, receipt.MayHaveRestarted, "status %d", status)
	}
	f(502, true)
	f(503, true)
	f(504, true)
	f(429, false)
	f(500, false)
}

// VictoriaMetrics before 1.88 reads snappy alone, and keeps fresh samples in memory all the
// same: it is known by what it signs its answers with.
func TestRemoteWriteKnowsAnOldVictoriaMetrics(t *testing.T) {
	for name, want := range map[string]time.Duration{"X-Server-Hostname": memoryWindow, "X-Other": 0} {
		rc := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set(name, "vm")
			if r.Header.Get("Content-Encoding") == "zstd" {
				w.WriteHeader(http.StatusBadRequest)
				return true
			}
			return false
		})
		receipt, err := remote(t, rc.URL, RemoteWriteOptions{}).Deliver(t.Context(), batch(t, 1))
		require.NoError(t, err)
		assert.Equal(t, want, receipt.Window, name)
		assert.Equal(t, want > 0, receipt.AnyOrder, name)
	}
}
