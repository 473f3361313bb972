package jmx_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServesOneAtATime tells an agent that one slow client blocks from one that takes
// clients side by side, and from one that is slow for everyone.
func TestServesOneAtATime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		single bool
		takes  time.Duration
		want   bool
	}{
		"one at a time":     {single: true, want: true},
		"side by side":      {},
		"slow for everyone": {takes: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					if tc.single {
						answerVersion(conn, tc.takes)
					} else {
						go answerVersion(conn, tc.takes)
					}
				}
			}()
			single, err := client(t, "http://"+listener.Addr().String()).ServesOneAtATime(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tc.want, single)
		})
	}
}

// answerVersion answers one request after a time, or gives up when its client has.
func answerVersion(conn net.Conn, takes time.Duration) {
	defer conn.Close()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	if takes > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(takes))
		_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(versionAnswer))+"\r\nConnection: close\r\n\r\n"+versionAnswer)
}
