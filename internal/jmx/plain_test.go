package jmx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
)

// rawAgent answers each request with a text, byte by byte as it is, and hangs up
// afterwards if it is told to. It counts connections, and says when it has hung up.
type rawAgent struct {
	url         string
	connections atomic.Int32
	hungUp      chan struct{}
}

func newRawAgent(t *testing.T, answer string, hangUp bool) *rawAgent {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a := &rawAgent{url: "http://" + listener.Addr().String(), hungUp: make(chan struct{}, 100)}
	t.Cleanup(func() { _ = listener.Close() })
	serve := func(conn net.Conn) {
		defer func() {
			_ = conn.Close()
			a.hungUp <- struct{}{}
		}()
		requests := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(conn, answer); err != nil || hangUp {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.connections.Add(1)
			go serve(conn)
		}
	}()
	return a
}

// sized is an answer with its length before it.
func sized(header string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", header, len(versionAnswer), versionAnswer)
}

func TestConnectionsAreUsedAgainWhereTheyCan(t *testing.T) {
	t.Parallel()
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(versionAnswer), versionAnswer)
	for _, tc := range []struct {
		name, answer string
		hangUp       bool
		connections  int32
	}{
		{"by length", sized(""), false, 1},
		{"chunked", chunked, false, 1},
		{"after a word that it is at work", "HTTP/1.1 102 Processing\r\n\r\n" + sized(""), false, 1},
		{"to be closed", sized("Connection: close\r\n"), false, 5},
		{"with more than was asked for", sized("") + "HTTP/1.1 200 OK", false, 5},
		{"ended by hanging up", "HTTP/1.0 200 OK\r\n\r\n" + versionAnswer, true, 5},
		{"followed by hanging up", sized(""), true, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			agent := newRawAgent(t, tc.answer, tc.hangUp)
			c := client(t, agent.url)
			for range 5 {
				said, err := c.Version(t.Context())
				require.NoError(t, err)
				assert.Equal(t, "2.6.0", said.Version)
				if tc.hangUp {
					<-agent.hungUp
				}
			}
			assert.Equal(t, tc.connections, agent.connections.Load())
		})
	}
}

// TestAConnectionClosedWhileAsked: an agent that closes a connection at rest in the
// moment in which it is asked again is asked once more what may be repeated, and
// nothing else.
func TestAConnectionClosedWhileAsked(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, versionAnswer)
	}))
	t.Cleanup(agent.Close)
	c := client(t, agent.URL)
	for range 3 {
		_, err := c.Version(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, int32(5), requests.Load(), "answered, refused and repeated, refused and repeated")
	err := c.DumpHeap(t.Context(), "/tmp/a.hprof", true)
	require.Error(t, err)
	assert.Equal(t, int32(6), requests.Load(), "a dump is asked for once")
	_, err = c.Version(t.Context())
	require.NoError(t, err)
	c.Close()
	requests.Store(1)
	_, err = c.Version(t.Context())
	require.Error(t, err, "a new connection is no reason to repeat")
	assert.Equal(t, int32(2), requests.Load())
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ answer, reason, message string }{
		"long":        {"HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 1<<20), jmx.ReasonTooLarge, "header of the answer is longer"},
		"never ready": {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000), jmx.ReasonOther, "below 200"},
		"no HTTP":     {"SSH-2.0-OpenSSH_9.2\r\n", jmx.ReasonDecode, "is it the agent's port?"},
		"TLS":         {"\x15\x03\x03\x00\x02\x02P\r\n", jmx.ReasonTLS, "speaks TLS; is it https://?"},
		"no length":   {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]", jmx.ReasonDecode, "does not speak HTTP as it should"},
		"no chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]", jmx.ReasonDecode, "does not speak HTTP as it should"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := newRawAgent(t, tc.answer, false)
			_, err := client(t, agent.url).Version(t.Context())
			require.Error(t, err)
			assert.Equal(t, tc.reason, jmx.Reason(err), "%v", err)
			assert.Contains(t, err.Error(), tc.message)
			assert.Less(t, len(err.Error()), 600)
			<-agent.hungUp
		})
	}
}

// TestAnAgentThatSaysNothing: Java's own HTTPS server hangs up where it is spoken to in plain HTTP.
func TestAnAgentThatSaysNothing(t *testing.T) {
	t.Parallel()
	agent := newRawAgent(t, "", true)
	_, err := client(t, agent.url).Version(t.Context())
	require.ErrorContains(t, err, "hung up without a word; is it https://, or does its JVM just end?")
	assert.Equal(t, jmx.ReasonTruncated, jmx.Reason(err))
	<-agent.hungUp

	begun := newRawAgent(t, "HTTP/1.1 200 OK\r\n", true)
	_, err = client(t, begun.url).Version(t.Context())
	require.ErrorContains(t, err, "hung up in mid-answer")
	<-begun.hungUp
}

// TestRequestsSideBySide: one client, many goroutines; nothing is mixed up, and one
// connection stays.
func TestRequestsSideBySide(t *testing.T) {
	t.Parallel()
	agent := newRawAgent(t, sized(""), false)
	c := client(t, agent.url)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				_, err := c.Version(t.Context())
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	for range agent.connections.Load() - 1 {
		<-agent.hungUp
	}
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	c.Close()
	<-agent.hungUp
}

// TestAConnectionAtRestForLong is not used again: the agent's server is about to drop it.
func TestAConnectionAtRestForLong(t *testing.T) {
	t.Parallel()
	agent := newRawAgent(t, sized(""), false)
	c := client(t, agent.url)
	f := func(rested time.Duration, connections int32) {
		t.Helper()
		c.Rested(rested)
		_, err := c.Version(t.Context())
		require.NoError(t, err)
		assert.Equal(t, connections, agent.connections.Load())
	}
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	f(20*time.Second, 1)
	f(26*time.Second, 2)
	f(0, 2)
}

// TestWhatIsSaidUnasked, as that time is up, is not the answer to the next request.
func TestWhatIsSaidUnasked(t *testing.T) {
	t.Parallel()
	asked := make(chan net.Conn, 10)
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		assert.NoError(t, err)
		_, _ = io.WriteString(conn, sized(""))
		asked <- conn
	}))
	t.Cleanup(agent.Close)
	c := client(t, agent.URL)
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	first := <-asked
	defer first.Close()
	_, err = io.WriteString(first, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	_, err = c.Version(t.Context())
	require.NoError(t, err)
	second := <-asked
	require.NoError(t, second.Close())
}

// TestAnAnswerThatBeginsIsNotAskedForAgain: the agent is there, and its word is what it is.
func TestAnAnswerThatBeginsIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 1 {
			_, _ = io.WriteString(w, versionAnswer)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		assert.NoError(t, err)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Cut")
		_ = conn.Close()
	}))
	t.Cleanup(agent.Close)
	c := client(t, agent.URL)
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	_, err = c.Version(t.Context())
	require.Error(t, err)
	assert.Equal(t, int32(2), requests.Load())
}
