package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// senderEnv makes the test binary append samples to the queue in a folder for a
// receiver, and print the number of each that was accepted: "dir|url|first".
const senderEnv = "E2E_SENDER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(senderEnv); spec != "" {
		fmt.Fprintln(os.Stderr, send(spec))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// openPusher opens the queue in dir for the receiver at a URL.
func openPusher(dir, url string) (*push.Pusher, error) {
	remote, err := push.RemoteWrite(url, push.RemoteWriteOptions{})
	if err != nil {
		return nil, err
	}
	return push.Open(push.Options{Dir: dir, Destinations: []push.Destination{remote}})
}

// send appends samples until it is killed.
func send(spec string) error {
	parts := strings.Split(spec, "|")
	next, err := strconv.Atoi(parts[2])
	if err != nil {
		return err
	}
	p, err := openPusher(parts[0], parts[1])
	if err != nil {
		return err
	}
	go func() { _ = p.Run(context.Background()) }()
	last := int64(0)
	for tick := time.Tick(10 * time.Millisecond); ; next++ {
		last = max(last+1, time.Now().UnixMilli())
		if err := p.Append([]series.Sample{{Name: "e2e_sample", TimeMs: last, Value: float64(next)}}); err != nil {
			return err
		}
		fmt.Println(next)
		<-tick
	}
}

// sendFor lets a child send, kills it d after the first sample, and returns how many
// samples it had accepted for sure; one more may be in the queue.
func sendFor(t *testing.T, dir, url string, first int, d time.Duration) int {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d", senderEnv, dir, url, first))
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	n := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); n++ {
		require.Equal(t, strconv.Itoa(first+n), lines.Text())
		if n == 0 {
			kill := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
		}
	}
	require.Positive(t, n)
	require.Error(t, cmd.Wait(), "it ends by the signal alone")
	return n
}

// values are the distinct values of the sample that the receiver has, and how many
// samples it counts.
func values(t *testing.T, base string) (distinct map[int]bool, count int) {
	t.Helper()
	ask := func(query string) [][]json.RawMessage {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/query?query="+url.QueryEscape(query), nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var answer struct {
			Data struct {
				Result []struct {
					Value  []json.RawMessage   `json:"value"`
					Values [][]json.RawMessage `json:"values"`
				} `json:"result"`
			} `json:"data"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		if len(answer.Data.Result) == 0 {
			return nil
		}
		if v := answer.Data.Result[0].Value; v != nil {
			return [][]json.RawMessage{v}
		}
		return answer.Data.Result[0].Values
	}
	number := func(raw json.RawMessage) int {
		n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
		require.NoError(t, err)
		return n
	}
	distinct = map[int]bool{}
	for _, pair := range ask(`e2e_sample[30m]`) {
		distinct[number(pair[1])] = true
	}
	for _, pair := range ask(`count_over_time(e2e_sample[30m])`) {
		count = number(pair[1])
	}
	return distinct, count
}

// drain delivers what is left in the queue.
func drain(t *testing.T, dir, url string) {
	t.Helper()
	p, err := openPusher(dir, url)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		cancel()
		assert.NoError(t, <-done)
		assert.NoError(t, p.Close())
	}()
	require.Eventually(t, func() bool {
		var text strings.Builder
		p.WriteMetrics(&text)
		for line := range strings.Lines(text.String()) {
			if strings.HasPrefix(line, "apm_sidecar_push_dropped_samples_total") && !strings.HasSuffix(line, " 0\n") {
				t.Fatal(line)
			}
			if strings.HasPrefix(line, "apm_sidecar_push_queue_samples") {
				return strings.HasSuffix(line, " 0\n")
			}
		}
		return false
	}, patience, 100*time.Millisecond, "everything is delivered")
}

// TestReceivers: real receivers get every sample, whoever is killed. Receiver and
// sender are killed in turn under E2E_FULL; otherwise the sender alone, once.
func TestReceivers(t *testing.T) {
	for name, start := range map[string]func(*harness.Bench) (*harness.Receiver, error){
		"victoria-metrics": func(b *harness.Bench) (*harness.Receiver, error) { return b.VictoriaMetrics(t.Context()) },
		"prometheus":       func(b *harness.Bench) (*harness.Receiver, error) { return b.Prometheus(t.Context()) },
		"cluster":          func(b *harness.Bench) (*harness.Receiver, error) { return cluster(t.Context(), b, "7:3") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bench := newBench(t)
			r, err := start(bench)
			if errors.Is(err, harness.ErrNoReceiver) {
				t.Skip(err)
			}
			require.NoError(t, err)
			dir, err := bench.Folder("queue")
			require.NoError(t, err)

			rounds, accepted, next := 1, map[int]bool{}, 1
			if full() {
				rounds = 6
			}
			for round := range rounds {
				life := time.Duration(1000+rand.IntN(4000)) * time.Millisecond
				restarted := make(chan error, 1)
				if full() && round%2 == 0 {
					time.AfterFunc(life/2, func() {
						r.Kill()
						restarted <- r.Start(t.Context())
					})
				} else {
					restarted <- nil
				}
				n := sendFor(t, dir, r.WriteURL, next, life)
				for i := range n {
					accepted[next+i] = true
				}
				next += n + 1 // one more may be queued, unprinted
				require.NoError(t, <-restarted)
			}
			drain(t, dir, r.WriteURL)

			assertStored(t, r, accepted, rounds)
		})
	}
}

// TestAVmstorageThatIsKilledAloneLosesNothing: vminsert, over whose connection the samples
// went, stays. The sender lives on until it would have acknowledged what the vmstorage had
// in memory.
func TestAVmstorageThatIsKilledAloneLosesNothing(t *testing.T) {
	bench := newBench(t)
	r, err := cluster(t.Context(), bench, "7")
	if errors.Is(err, harness.ErrNoReceiver) {
		t.Skip(err)
	}
	require.NoError(t, err)
	dir, err := bench.Folder("queue")
	require.NoError(t, err)
	restarted := make(chan error, 1)
	time.AfterFunc(8*time.Second, func() {
		r.KillStorage()
		restarted <- r.Start(t.Context())
	})
	accepted := map[int]bool{}
	for i := range sendFor(t, dir, r.WriteURL, 1, 40*time.Second) {
		accepted[1+i] = true
	}
	require.NoError(t, <-restarted)
	drain(t, dir, r.WriteURL)
	assertStored(t, r, accepted, 1)
}

// cluster is one with a tenant, where there are its programs.
func cluster(ctx context.Context, b *harness.Bench, tenant string) (*harness.Receiver, error) {
	bin := os.Getenv("VMCLUSTER_BIN")
	if bin == "" {
		return nil, fmt.Errorf("a cluster is %w: VMCLUSTER_BIN names a folder with vmstorage, vminsert and vmselect", harness.ErrNoReceiver)
	}
	return b.Cluster(ctx, bin, tenant)
}

// assertStored asserts that a receiver has what was accepted, once, and at most some samples
// more, that were queued and not printed.
func assertStored(t *testing.T, r *harness.Receiver, accepted map[int]bool, unprinted int) {
	t.Helper()
	var got map[int]bool
	var count int
	assert.Eventually(t, func() bool {
		got, count = values(t, r.QueryURL)
		for v := range accepted {
			if !got[v] {
				return false
			}
		}
		return true
	}, patience, 500*time.Millisecond, "no sample is lost")
	assert.Equal(t, len(got), count, "none is counted twice")
	assert.LessOrEqual(t, len(got)-len(accepted), unprinted, "at most one a life was queued unprinted")
	t.Logf("%d accepted, %d stored", len(accepted), len(got))
}
