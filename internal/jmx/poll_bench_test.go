package jmx_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// BenchmarkPoll polls an agent that has its answers ready, and makes no garbage of its own.
func BenchmarkPoll(b *testing.B) {
	answers, err := jmxtest.Recorded(jmx.ReadTestdata(b, "jolokia-2.6.0-jdk17-g1.json"))
	require.NoError(b, err)
	target, err := jvm.ParseTarget("http://" + readyAgent(b, answers) + "/jolokia/")
	require.NoError(b, err)
	c := jmx.New(target, jmx.Options{})
	b.Cleanup(c.Close)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Poll(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// readyAgent is the address of an agent for one connection.
func readyAgent(b *testing.B, answers jmxtest.Answers) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = listener.Close() })
	ready := map[string][]byte{} // by the bulk
	answerTo := func(bulk []byte) []byte {
		if answer := ready[string(bulk)]; answer != nil {
			return answer
		}
		var items []jmxtest.Item
		if err := json.Unmarshal(bulk, &items); err != nil {
			return nil // it is not complete
		}
		body := answers.Bulk(items)
		ready[string(bulk)] = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return ready[string(bulk)]
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request := make([]byte, 64<<10)
		for n := 0; ; {
			read, err := conn.Read(request[n:])
			if n += read; err != nil {
				return
			}
			_, bulk, _ := bytes.Cut(request[:n], []byte("\r\n\r\n"))
			answer := answerTo(bulk)
			if answer == nil {
				continue
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
			n = 0
		}
	}()
	return listener.Addr().String()
}
