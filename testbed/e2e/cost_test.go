package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// costRate is the number of requests a second, costPhase how long each phase of the
	// comparison lasts, costRounds how many pairs of phases there are once the JVM has been
	// looked at costLooks times, as after an hour.
	costRate   = 200
	costPhase  = 30 * time.Second
	costRounds = 2
	costLooks  = 3000
	// tick is the unit of times in /proc.
	tick = 10 * time.Millisecond
)

// TestWhatTracingCostsTheJVM: a Tomcat under a steady load is watched by turns with and
// without its transactions being followed. What answering costs it is the time on a
// processor of the agent's own threads.
func TestWhatTracingCostsTheJVM(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes five minutes")
	}
	bench := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	db, err := bench.StartPostgres(ctx)
	require.NoError(t, err)
	log := filepath.Join(bench.Dir, "safepoints.log")
	app, err := bench.StartSlowWebApp(ctx, defaultJDK(t).java, "tomcat10", db.JDBCURL(), "-Xlog:safepoint:file="+log)
	require.NoError(t, err)
	load, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	clients.Go(func() { steadyLoad(load, t, app.URL) })
	defer clients.Wait()
	defer stop()

	watched := func(config string) (agent, whole time.Duration) {
		sidecar, err := bench.StartSidecarWith(ctx, app.JolokiaURL, config)
		require.NoError(t, err)
		pause(ctx, 5*time.Second)
		agent, whole = cpuOf(t, app.PID())
		pause(ctx, costPhase)
		agentAfter, wholeAfter := cpuOf(t, app.PID())
		require.NoError(t, sidecar.Stop(sidecarGrace))
		return agentAfter - agent, wholeAfter - whole
	}
	compare := func(when string, rounds int) (tracing float64) {
		var agentOff, agentOn, off, on time.Duration
		for range rounds {
			a, w := watched("transactions: {enabled: false}\n")
			agentOff, off = agentOff+a, off+w
			a, w = watched(fmt.Sprintf("transactions: {enabled: true}\ndatabases:\n  - {name: shop, url: %q}\n", db.URL()))
			agentOn, on = agentOn+a, on+w
		}
		share := func(d time.Duration) float64 { return 100 * d.Seconds() / (float64(rounds) * costPhase.Seconds()) }
		t.Logf("%s: agent's threads %.2f%% of a processor without, %.2f%% with tracing: %.2f%% for tracing; whole JVM %.1f%% and %.1f%%",
			when, share(agentOff), share(agentOn), share(agentOn-agentOff), share(off), share(on))
		return share(agentOn - agentOff)
	}
	compare("in the first minutes", 1)
	target, err := jvm.ParseTarget(app.JolokiaURL)
	require.NoError(t, err)
	client := jmx.New(target, jmx.Options{Timeout: time.Minute})
	defer client.Close()
	for range costLooks {
		_, err := client.Requests(ctx, nil)
		require.NoError(t, err)
	}
	before := len(pauses(t, log))
	tracing := compare("after an hour of looks", costRounds)
	dumps := pauses(t, log)[before:]
	reaching, stopped := make([]time.Duration, len(dumps)), make([]time.Duration, len(dumps))
	for i, p := range dumps {
		reaching[i], stopped[i] = p[0], p[1]
	}
	t.Logf("pauses for stacks: reached after %v, lasted %v", spread(reaching), spread(stopped))
	assert.NotEmpty(t, dumps)
	assert.Less(t, tracing, 1.2)
}

// steadyLoad asks for costRate requests a second, however long each takes.
func steadyLoad(ctx context.Context, t *testing.T, url string) {
	ticker := time.NewTicker(time.Second / costRate)
	defer ticker.Stop()
	var asked sync.WaitGroup
	defer asked.Wait()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		steps := "sql:20,sleep:50,cpu:1"
		if n%100 == 0 {
			steps = "sql:1500,sleep:2000"
		}
		asked.Go(func() {
			if err := ask(ctx, fmt.Sprintf("%s/run/cost/%d?steps=%s", url, n, steps)); err != nil && ctx.Err() == nil {
				assert.NoError(t, err)
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// cpuOf is what the threads of the agent in a JVM have used of a processor, and what
// the whole JVM has (proc_pid_stat(5)).
func cpuOf(t *testing.T, pid int) (agent, whole time.Duration) {
	t.Helper()
	used := func(path string) (string, time.Duration) {
		stat, err := os.ReadFile(path)
		if err != nil {
			return "", 0 // a thread that has ended
		}
		name := stat[bytes.IndexByte(stat, '(')+1 : bytes.LastIndexByte(stat, ')')]
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		sum := time.Duration(0)
		for _, f := range fields[11:13] {
			ticks, err := strconv.ParseInt(f, 10, 64)
			require.NoError(t, err)
			sum += time.Duration(ticks) * tick
		}
		return string(name), sum
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	require.NoError(t, err)
	for _, task := range tasks {
		if name, cpu := used(task); strings.HasPrefix(name, "jolokia") || strings.HasPrefix(name, "HTTP-Dispatcher") {
			agent += cpu
		}
	}
	_, whole = used(fmt.Sprintf("/proc/%d/stat", pid))
	return agent, whole
}

// spread describes durations, which it sorts.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	over, _ := slices.BinarySearch(d, time.Millisecond)
	return fmt.Sprintf("n %d, median %v, 99%% %v, most %v, over 1 ms %d", len(d), d[len(d)/2], d[len(d)*99/100], d[len(d)-1], len(d)-over)
}

// pauses are those that looks at stacks were for the JVM, by its own log: how long it
// took its threads to stop, which on a busy machine is the wait for a processor, and for
// how long they all stood.
func pauses(t *testing.T, log string) [][2]time.Duration {
	t.Helper()
	content, err := os.ReadFile(log)
	require.NoError(t, err)
	var found [][2]time.Duration
	for _, m := range regexp.MustCompile(`Safepoint "ThreadDump".* Reaching safepoint:\s+(\d+) ns.* At safepoint:\s+(\d+) ns`).FindAllStringSubmatch(string(content), -1) {
		var pause [2]time.Duration
		for i := range pause {
			ns, err := strconv.ParseInt(m[1+i], 10, 64)
			require.NoError(t, err)
			pause[i] = time.Duration(ns)
		}
		found = append(found, pause)
	}
	return found
}
