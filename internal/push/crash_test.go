package push

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// crashEnv makes the test binary append to a queue until it is killed:
// "folder|url|first value".
const crashEnv = "PUSH_TEST_CRASH"

// crashWindow and crashMemory are the sender's window and how long the receiver
// of the crash test holds samples in memory only.
const (
	crashWindow = 400 * time.Millisecond
	crashMemory = 200 * time.Millisecond
	// crashTogether append at once, whose samples wait for each other so long.
	crashTogether = 8
	crashGather   = 10 * time.Millisecond
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(crashEnv); spec != "" {
		if err := appendUntilKilled(spec); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appendUntilKilled prints each value once Append has accepted it.
func appendUntilKilled(spec string) error {
	part := strings.Split(spec, "|")
	value, err := strconv.Atoi(part[2])
	if err != nil {
		return err
	}
	d, err := RemoteWrite(part[1], RemoteWriteOptions{Window: crashWindow})
	if err != nil {
		return err
	}
	p, err := Open(Options{Dir: part[0], Destinations: []Destination{d}, Gather: crashGather})
	if err != nil {
		return err
	}
	go func() { _ = p.Run(context.Background()) }()
	var next atomic.Int64
	next.Store(int64(value))
	var g errgroup.Group
	for range crashTogether {
		g.Go(func() error {
			for {
				value := next.Add(1)
				if err := p.Append([]series.Sample{testSample(float64(value))}); err != nil {
					return err
				}
				fmt.Println(value)
			}
		})
	}
	return g.Wait()
}

// forgetful is a receiver that loses its memory when it restarts.
type forgetful struct {
	mu     sync.Mutex
	memory map[float64]time.Time
	disk   map[float64]bool
	// forgotten counts what restarts have cost.
	forgotten int
	// got is closed and replaced when something arrives.
	got chan struct{}
}

func (f *forgetful) accept(values []float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	close(f.got)
	f.got = make(chan struct{})
	for _, v := range values {
		f.memory[v] = now
	}
	f.flush(now.Add(-crashMemory))
}

// flush moves what is older than t to the disk.
func (f *forgetful) flush(t time.Time) {
	for v, at := range f.memory {
		if at.Before(t) {
			f.disk[v] = true
			delete(f.memory, v)
		}
	}
}

// arrival is closed when something arrives the next time.
func (f *forgetful) arrival() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// restart forgets what is in memory, and has every connection closed before anything else
// is accepted, as the end of a process does.
func (f *forgetful) restart(closeConnections func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush(time.Now().Add(-crashMemory))
	f.forgotten += len(f.memory)
	clear(f.memory)
	closeConnections()
}

// forgot is how much restarts have cost.
func (f *forgetful) forgot() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forgotten
}

// Sender and receiver are killed again and again, until enough was accepted and forgotten to
// show something; whatever Append accepted arrives.
func TestNothingIsLostWhenEitherSideIsKilled(t *testing.T) {
	f := &forgetful{memory: map[float64]time.Time{}, disk: map[float64]bool{}, got: make(chan struct{})}
	rc := newReceiver(t, nil)
	rc.onValues = f.accept
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)

	next := 1
	var accepted []float64
	const rounds, manyRounds = 8, 200
	for round := 0; round < rounds || len(accepted) <= 100 || f.forgot() == 0; round++ {
		require.Less(t, round, manyRounds, "%d accepted, %d forgotten by the receiver: the test shows nothing", len(accepted), f.forgot())
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d", crashEnv, dir, rc.URL, next))
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		arrived := f.arrival()
		require.NoError(t, cmd.Start())
		var killer sync.WaitGroup
		over := make(chan struct{})
		killer.Go(func() {
			select {
			case <-arrived:
			case <-over:
			}
			if round%2 == 1 { // while something is in memory alone, as a rule
				<-time.After(time.Duration(round%rounds-1) * crashMemory / 4)
				f.restart(rc.CloseClientConnections)
			}
			<-time.After(time.Duration(rand.IntN(400)) * time.Millisecond)
			_ = cmd.Process.Kill()
		})
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			v, err := strconv.Atoi(lines.Text())
			require.NoError(t, err, lines.Text())
			accepted = append(accepted, float64(v))
			next = max(next, v)
		}
		close(over)
		killer.Wait()
		require.Error(t, cmd.Wait(), "the child only ends by the signal")
		next += crashTogether // more may be queued, unprinted
	}

	d := remote(t, rc.URL, RemoteWriteOptions{Window: crashWindow})
	p, stop := startPusher(t, dir, d)
	require.Eventually(t, func() bool { return p.workers[0].queue.stats().samples == 0 }, time.Minute, 20*time.Millisecond)
	stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush(time.Now())
	lost := 0
	for _, v := range accepted {
		if !f.disk[v] {
			lost++
		}
	}
	assert.Zero(t, lost, "of %d accepted", len(accepted))
	t.Logf("%d accepted, %d forgotten by the receiver, %d lost", len(accepted), f.forgotten, lost)
}
