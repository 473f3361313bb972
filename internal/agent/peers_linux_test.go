package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/database"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// asker is a process that has asked a server and waits for its answer.
type asker struct {
	pid           int
	startMs       int64
	local, remote netip.AddrPort
}

func startAsker(t *testing.T) asker {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	child := exec.CommandContext(t.Context(), bash, "-c",
		fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; read -r answer <&3", listener.Addr().(*net.TCPAddr).Port))
	require.NoError(t, child.Start())
	started := time.Now()
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	conn, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return asker{
		pid: child.Process.Pid, startMs: started.UnixMilli(),
		local: conn.RemoteAddr().(*net.TCPAddr).AddrPort(), remote: conn.LocalAddr().(*net.TCPAddr).AddrPort(),
	}
}

// cpuNs is the asker's time on a processor.
func (a asker) cpuNs() int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", a.pid))
	if err != nil {
		return 0
	}
	ns, _ := strconv.ParseInt(strings.Fields(string(content))[0], 10, 64)
	return ns
}

// besideRequests is a server whose one worker is the asker.
type besideRequests struct {
	fakeRequests
	asker asker
}

func (b *besideRequests) Requests(ctx context.Context, workers map[string]int64) (*jvm.Requests, error) {
	r, err := b.fakeRequests.Requests(ctx, workers)
	if err == nil {
		r.Workers = map[string]jvm.Used{}
		r.PID, r.StartMs = jvm.Some(int64(b.asker.pid)), jvm.Some(b.asker.startMs)
	}
	return r, err
}

// fakeDatabase says the same of every session, and counts for how many it was asked.
type fakeDatabase struct {
	session database.Session
	asked   atomic.Int64
}

func (*fakeDatabase) Name() string { return "orders" }

func (*fakeDatabase) Dialect() tx.Dialect { return tx.DialectPostgreSQL }

func (f *fakeDatabase) Sessions(_ context.Context, sockets []jvm.Socket) (map[netip.AddrPort]database.Session, error) {
	f.asked.Add(int64(len(sockets)))
	found := map[netip.AddrPort]database.Session{}
	for _, s := range sockets {
		found[s.Local] = f.session
	}
	return found, nil
}

// TestAWaitIsNamed: the peer is named by the system alone; the statement only where the
// database is at work on it, and since the transaction began.
func TestAWaitIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		session database.Session
		sql     string
	}{
		"at work":       {database.Session{Active: true, Query: "select 'x' from t"}, "select ? from t"},
		"idle":          {database.Session{Query: "select 'x' from t"}, ""},
		"from long ago": {database.Session{Active: true, Query: "select 'x' from t", Age: time.Hour}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startAsker(t)
			f := &besideRequests{asker: a}
			began := time.Now()
			f.row = func() jvm.RequestProcessor { // for as long as the test lasts
				return jvm.RequestProcessor{
					Name: "p", Connector: "http-nio-1", Stage: jvm.StageService, ElapsedMs: time.Since(began).Milliseconds(),
					Path: "/orders/12345", Method: "GET", Thread: "http-nio-1-exec-1",
				}
			}
			f.thread = func() jvm.Thread {
				th := waiting()
				th.CPUNs = jvm.Some(a.cpuNs())
				return th
			}
			o := tracing(t, 100*time.Millisecond)
			db := &fakeDatabase{session: tc.session}
			o.Databases = []agent.Database{db}
			s := &sink{}
			ag := agent.New(agent.Options{
				Interval: 200 * time.Millisecond, Sink: s, Logger: slog.New(slog.DiscardHandler), Tracing: o,
				Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- ag.Run(ctx) }()
			var row tx.Active
			assert.Eventually(t, func() bool {
				before := db.asked.Load()
				rows := ag.Transactions().Active(time.Now(), "").Transactions
				if len(rows) == 1 {
					row = rows[0]
				}
				// Who names a wait is not asked again; who has been asked four times did not
				// name it three times.
				return row.Peer != "" && (row.SQL != "" || before > 3) && slices.Contains(s.values(series.NameEdgeInFlight, "a:1"), 1.0)
			}, time.Minute, 20*time.Millisecond)
			cancel()
			require.NoError(t, <-ended)
			assert.Equal(t, tc.sql, row.SQL)
			peer := a.remote.String()
			if tc.sql != "" {
				peer = "orders"
			}
			assert.Equal(t, peer, row.Peer)
			assertCatalogued(t, s)
		})
	}
}
