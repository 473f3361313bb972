package jmx_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

// TestBackToBackPollsDontWaitForAcknowledgements: the JDK's HTTP server sends
// header and body apart, without TCP_NODELAY. Unless the client acknowledges at
// once, each answer waits for its delayed acknowledgement: 40 ms.
func TestBackToBackPollsDontWaitForAcknowledgements(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	answers, err := jmxtest.Recorded([]byte(captured(t, "jolokia-2.6.0-jdk17-g1.json")))
	require.NoError(t, err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerLikeTheJDK(conn.(*net.TCPConn), answers)
		}
	}()

	c := client(t, "http://"+listener.Addr().String())
	var took []time.Duration
	for range 60 {
		start := time.Now()
		_, err := c.Poll(t.Context())
		require.NoError(t, err)
		took = append(took, time.Since(start))
	}
	took = took[20:] // the kernel itself acknowledges at once on a new connection
	// The kernel delays none for less (TCP_DELACK_MIN), and each poll would wait for one; on
	// a busy machine some take that long anyway.
	assert.Less(t, slices.Min(took), 40*time.Millisecond)
}

// answerLikeTheJDK answers every request on the connection.
func answerLikeTheJDK(conn *net.TCPConn, answers jmxtest.Answers) {
	defer conn.Close()
	if err := conn.SetNoDelay(false); err != nil {
		return
	}
	requests := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		var bulk []item
		if err := json.NewDecoder(req.Body).Decode(&bulk); err != nil {
			return
		}
		reply := answers.Bulk(bulk)
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(reply)); err != nil {
			return
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}
