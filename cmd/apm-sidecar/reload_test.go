package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// upReceiver takes remote write and notes when there were samples of "up", and how often
// each came.
type upReceiver struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[int64]int
}

func newUpReceiver(t *testing.T) *upReceiver {
	t.Helper()
	r := &upReceiver{seen: map[int64]int{}}
	decoder, err := zstd.NewReader(nil)
	require.NoError(t, err)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		packed, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		raw, err := decoder.DecodeAll(packed, nil)
		assert.NoError(t, err)
		var u prompb.WriteRequestUnmarshaler
		wr, err := u.UnmarshalProtobuf(raw)
		assert.NoError(t, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, ts := range wr.Timeseries {
			if slices.Contains(ts.Labels, prompb.Label{Name: "__name__", Value: "up"}) {
				for _, s := range ts.Samples {
					r.seen[s.Timestamp]++
				}
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// times are those of the samples from one moment to another, and how often each came.
func (r *upReceiver) times(from, until time.Time) map[int64]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[int64]int{}
	for ms, n := range r.seen {
		if ms >= from.UnixMilli() && ms <= until.UnixMilli() {
			out[ms] = n
		}
	}
	return out
}

// stored are the times of the samples of "up" in the embedded store.
func (r *running) stored(t *testing.T) map[int64]int {
	t.Helper()
	_, body := r.get(t, `api/v1/export?match[]=up`)
	out := map[int64]int{}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		var series struct{ Timestamps []int64 }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &series))
		for _, ms := range series.Timestamps {
			out[ms]++
		}
	}
	return out
}

// TestReloadLosesNoSample: receivers, rules and what guards the pages change under a
// running sidecar, and what stays goes on as if nothing were.
func TestReloadLosesNoSample(t *testing.T) {
	agent, steady, other := recordedAgent(t), newUpReceiver(t), newUpReceiver(t)
	dir := t.TempDir()
	file, rules, password := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "rules.yml"), filepath.Join(dir, "password")
	write := func(name, content string) { require.NoError(t, os.WriteFile(name, []byte(content), 0o600)) }
	write(password, "s3cret")
	write(rules, "groups: [{name: own, interval: 1s, rules: [{alert: Always, expr: 'up == 1'}]}]")
	base := "targets: [{url: '" + agent.URL + "'}]\ninterval: 100ms\n"
	both := "remote_write: ['" + steady.URL + "', {url: '" + other.URL + "', headers: {x: y}}]\nembedded: true\n"
	write(file, base+both)
	r := start(t, "--config", file, "--data-dir", filepath.Join(dir, "data"))
	reload := func(content string) {
		t.Helper()
		write(file, base+content)
		require.Equal(t, http.StatusOK, r.post(t, "-/reload"))
	}
	// arrives waits until a receiver has a sample that was made after now.
	arrives := func(receiver *upReceiver) time.Time {
		t.Helper()
		begin := time.Now()
		require.Eventually(t, func() bool { return len(receiver.times(begin, time.Now())) > 2 }, time.Minute, 10*time.Millisecond)
		return time.Now()
	}
	begin := time.Now()
	arrives(other)

	alone := "remote_write: ['" + steady.URL + "']\nembedded: true\n"
	reload(alone)
	arrives(steady)
	write(file, base+strings.Replace(both, "x: y", "x: z", 1)+"alerting: {rules: ['"+rules+"'], builtin_rules: false}\n")
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	from := arrives(other)
	assert.Eventually(t, func() bool {
		_, body := r.get(t, "api/alerts")
		return strings.Contains(body, `"name":"Always"`)
	}, time.Minute, 50*time.Millisecond)
	until := arrives(other)
	reload(alone + "web: {users: [{username: kim, password_file: '" + password + "'}]}\n")
	code, _ := r.get(t, "targets")
	assert.Equal(t, http.StatusUnauthorized, code)
	// The user that keeps others out keeps the test from reloading, too.
	write(file, base+both)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	last := arrives(other)

	// has waits until what has come, which may go on, is all that another one has.
	has := func(come func() map[int64]int, all map[int64]int, whose string) {
		t.Helper()
		assert.Eventually(t, func() bool {
			got := come()
			return !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(ms int64) bool { return got[ms] == 0 })
		}, time.Minute, 100*time.Millisecond, "%s lacks samples", whose)
	}
	has(func() map[int64]int { return r.stored(t) }, steady.times(begin, last), "the store")
	stored := r.stored(t)
	maps.DeleteFunc(stored, func(ms int64, _ int) bool { return ms > last.UnixMilli() })
	has(func() map[int64]int { return steady.times(time.Time{}, time.Now()) }, stored, "what stays")
	has(func() map[int64]int { return other.times(begin, time.Now()) }, steady.times(from, until), "what was configured then")
	for _, n := range steady.times(begin, last) {
		assert.Equal(t, 1, n, "what goes on is not sent again")
	}

	reload("remote_write: ['" + steady.URL + "']\n")
	code, _ = r.get(t, "api/v1/query?query=up")
	assert.Equal(t, http.StatusNotFound, code, "the store is closed")
	reload("remote_write: ['" + steady.URL + "']\nembedded: true\nretention: 40d\n")
	for ms := range stored {
		require.Contains(t, r.stored(t), ms, "the store is open again")
	}
	_, page := r.get(t, "targets")
	assert.Contains(t, page, "take effect at the next start: retention")
	_, page = r.get(t, "alerts")
	assert.Contains(t, page, "<h1>Alerts</h1>")
	_, rulesSeen := r.get(t, "prometheus/api/v1/rules")
	assert.Contains(t, rulesSeen, `"name":"TargetDown"`)
	_, seen := r.get(t, "vmui/config.json")
	assert.Contains(t, seen, `"enabled":true`)
	r.end(t)
}

// TestReloadReplacesWhatWatches: transactions and heap dumps by other settings, while
// targets, receivers and the pages stay; where the new ones fail, the old ones go on.
func TestReloadReplacesWhatWatches(t *testing.T) {
	agent, steady := recordedAgent(t), newUpReceiver(t)
	dir := t.TempDir()
	file, dumps := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "dumps")
	require.NoError(t, os.Mkdir(dumps, 0o700))
	base := "targets: [{url: '" + agent.URL + "'}]\ninterval: 100ms\nremote_write: ['" + steady.URL + "']\n"
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(base+content), 0o600)) }
	write("")
	r := start(t, "--config", file, "--data-dir", filepath.Join(dir, "data"))
	goesOn := func() {
		t.Helper()
		begin := time.Now()
		require.Eventually(t, func() bool { return len(steady.times(begin, time.Now())) > 2 }, time.Minute, 10*time.Millisecond)
	}
	goesOn()
	code, _ := r.get(t, "reports")
	assert.Equal(t, http.StatusNotFound, code)

	good := "capture: {directory: '" + dumps + "'}\ntransactions: {threshold: 7s}\n"
	write(good)
	require.Equal(t, http.StatusOK, r.post(t, "-/reload"))
	goesOn()
	code, _ = r.get(t, "reports")
	assert.Equal(t, http.StatusOK, code)
	threshold := func() {
		t.Helper()
		assert.Eventually(t, func() bool {
			_, body := r.get(t, "api/transactions/active")
			return strings.Contains(body, `"threshold_ms":7000`)
		}, time.Minute, 50*time.Millisecond)
	}
	threshold()

	write(good + "slow_interval: 5s\ndatabases: []\n")
	require.Equal(t, http.StatusOK, r.post(t, "-/reload"))
	write("transactions: {spans: {listen: '" + agent.Listener.Addr().String() + "'}}\n")
	require.Equal(t, http.StatusBadRequest, r.post(t, "-/reload"), "the address is taken")
	_, page := r.get(t, "targets")
	assert.Contains(t, page, "address already in use")
	goesOn()
	threshold()
	r.end(t)
}
