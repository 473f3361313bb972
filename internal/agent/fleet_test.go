package agent_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// fleetEnv makes the test program a fleet of JVMs, for BenchmarkFleet: what they cost
// must not be counted.
const fleetEnv = "AGENT_TEST_FLEET"

// shapes are the recorded JVMs of which a fleet is made.
func shapes() []string {
	return []string{"jolokia-2.6.0-jdk17-g1.json", "jolokia-2.6.0-jdk25-zgc.json", "jolokia-1.7.2-jdk17-parallel.json"}
}

// serveFleet answers as many JVMs as are asked for, by paths, until standard input
// ends.
func serveFleet() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var fleet []jmxtest.Answers
	for _, name := range shapes() {
		recorded, err := os.ReadFile("../jmx/testdata/" + name)
		if err != nil {
			return err
		}
		answers, err := jmxtest.Recorded(recorded)
		if err != nil {
			return err
		}
		fleet = append(fleet, answers)
	}
	fmt.Println(l.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/", &n); err != nil {
			http.NotFound(w, r)
			return
		}
		fleet[n%len(fleet)].ServeHTTP(w, r)
	})}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// countingSink counts samples and keeps none.
type countingSink struct{ polls chan struct{} }

func (s countingSink) Append(samples []series.Sample) error {
	for i := range samples {
		if samples[i].Name == series.NameUp {
			s.polls <- struct{}{}
		}
	}
	return nil
}

// BenchmarkFleet polls a thousand JVMs over HTTP, each every two seconds, and reports
// the CPU time of one poll, decoding and derivation included. The JVMs are another
// process.
func BenchmarkFleet(b *testing.B) {
	for _, targets := range []int{100, 1000} {
		b.Run(fmt.Sprint("targets=", targets), func(b *testing.B) { benchmarkFleet(b, targets) })
	}
}

func benchmarkFleet(b *testing.B, targets int) {
	self, err := os.Executable()
	require.NoError(b, err)
	child := exec.CommandContext(b.Context(), self)
	child.Env = append(os.Environ(), fleetEnv+"=1")
	stdin, err := child.StdinPipe()
	require.NoError(b, err)
	stdout, err := child.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, child.Start())
	defer func() {
		_ = stdin.Close()
		_ = child.Wait()
	}()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)

	polls := make(chan struct{}, 10*targets)
	opts := agent.Options{Interval: 2 * time.Second, SlowInterval: time.Minute, Sink: countingSink{polls}, Logger: slog.New(slog.DiscardHandler)}
	buffers := &jmx.Buffers{}
	for i := range targets {
		target, err := jvm.ParseTarget(fmt.Sprintf("http://%s/%d/jolokia/", strings.TrimSpace(address), i))
		require.NoError(b, err)
		target.Instance = fmt.Sprint("jvm-", i)
		client := jmx.New(target, jmx.Options{Buffers: buffers})
		opts.Watched = append(opts.Watched, agent.Watched{Target: target, Client: client, Close: client.Close})
	}
	a := agent.New(opts)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for range 2 * targets { // connections, labels and the slow tier
		<-polls
	}
	b.ResetTimer()
	before := cpuTime(b)
	for range b.N {
		<-polls
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/poll")
	b.ReportMetric(0, "ns/op") // the pace is given
	cancel()
	require.NoError(b, <-done)
}

// cpuTime is what this process has used up, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
