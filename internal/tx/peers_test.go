package tx_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// lane is one request of 4 s on one worker, looked at each second from 0.5 s on.
type lane struct {
	t       *testing.T
	tracker *tx.Tracker
	zero    time.Time
	cpuNs   int64
}

func newLane(t *testing.T) *lane {
	t.Helper()
	l := &lane{t: t, tracker: tx.New(tx.Options{Target: "a", Thresholds: tx.NewThresholds(3 * time.Second), Interval: time.Second}), zero: time.Unix(1000, 0), cpuNs: 1e6}
	l.requests(-500, jvm.RequestProcessor{Stage: jvm.StageEnded})
	return l
}

func (l *lane) at(ms int64) time.Time { return l.zero.Add(time.Duration(ms) * time.Millisecond) }

func (l *lane) requests(ms int64, row jvm.RequestProcessor) []*tx.Record {
	row.Name, row.Connector = "p", "http"
	return l.tracker.Requests(&jvm.Requests{Sent: l.at(ms), Received: l.at(ms), StartMs: jvm.Some[int64](1), Processors: []jvm.RequestProcessor{row}})
}

// look shows the request after ms, waiting in a call of a class; the thread has run
// since the look before unless same.
func (l *lane) look(ms int64, class string, same bool) {
	l.requests(ms, jvm.RequestProcessor{Stage: jvm.StageService, ElapsedMs: ms, Path: "/x", Thread: "exec-1"})
	key := tx.Key{"p", 0}
	th := &jvm.Thread{ID: 7, Name: "exec-1", State: jvm.Runnable}
	if !same {
		l.cpuNs += 1e6
	}
	th.CPUNs = jvm.Some(l.cpuNs)
	if same {
		require.True(l.t, l.tracker.Unmoved(key, l.at(ms), used(th)))
		return
	}
	full := *th
	if class == parked {
		full.State, full.Stack = jvm.Waiting, []jvm.Frame{{Class: class, Method: "park"}}
		l.tracker.Sample(key, l.at(ms), th, &full)
		return
	}
	full.Stack = []jvm.Frame{{Class: "sun.nio.ch.Net", Method: "poll", Native: true}, {Class: class, Method: "read"}, {Class: "shop.Orders", Method: "find"}}
	l.tracker.Sample(key, l.at(ms), th, &full)
}

func (l *lane) end() *tx.Record {
	done := l.requests(4500, jvm.RequestProcessor{Stage: jvm.StageEnded, Count: 1, ProcessingMs: 4000, LastMs: 4000})
	require.Len(l.t, done, 1)
	return done[0]
}

// The classes of calls that wait for a database, for an HTTP server, and for neither.
const (
	driver  = "org.postgresql.core.PGStream"
	browser = "sun.net.www.http.HttpClient"
	parked  = "java.util.concurrent.locks.LockSupport"
)

// edge is a tx.PeerWaits in the open.
type edge struct {
	peer, kind   string
	inFlight     int
	slow, waitMs int64
	rtt          time.Duration
}

func (l *lane) edges(ms int64) (out []edge) {
	for _, e := range l.tracker.PeerWaits(l.at(ms)) {
		out = append(out, edge{e.Peer, e.Kind, e.InFlight, e.Slow, e.WaitMs, e.RTT})
	}
	return out
}

func socket(remote string) jvm.Socket {
	return jvm.Socket{Local: netip.MustParseAddrPort("10.0.0.1:4000"), Remote: netip.MustParseAddrPort(remote), RTT: 300 * time.Microsecond, Unanswered: time.Second}
}

func TestPeersAndStatements(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.look(500, driver, false)
	l.look(1500, driver, true)
	waits := l.tracker.Waits(l.at(1500))
	require.Len(t, waits, 1)
	assert.Equal(t, tx.Wait{Key: tx.Key{"p", 0}, ThreadID: 7, CPUNs: 2e6, Class: tx.ClassSQL, Age: 1501 * time.Millisecond}, waits[0])
	l.tracker.Named(waits[0], tx.Sight{Socket: socket("10.0.0.2:5432")})
	require.Len(t, l.tracker.Waits(l.at(1500)), 1, "its statement is not known")
	l.tracker.Named(waits[0], tx.Sight{Socket: socket("10.0.0.2:5432"), Name: "orders", SQL: "select 1 from t", Dialect: tx.DialectPostgreSQL, SQLWait: "Lock: tuple"})
	assert.Empty(t, l.tracker.Waits(l.at(1500)))
	row := l.tracker.Active(l.at(1500))[0]
	assert.Equal(t, "orders", row.Peer)
	assert.Equal(t, "select ? from t", row.SQL)
	assert.Equal(t, []edge{{"orders", tx.KindDatabase, 1, 0, 0, 300 * time.Microsecond}}, l.edges(1500))

	l.look(2500, browser, false)
	l.tracker.Named(waits[0], tx.Sight{Socket: socket("10.0.0.9:1")}) // too late: it has run since
	waits = l.tracker.Waits(l.at(2500))
	require.Len(t, waits, 1)
	l.tracker.Named(waits[0], tx.Sight{Socket: socket("10.0.0.3:80")})
	l.look(3500, driver, false) // nobody says for whom
	rec := l.end()

	require.Len(t, rec.Peers, 2)
	db, web := rec.Peers[0], rec.Peers[1]
	assert.Equal(t, tx.Peer{Kind: tx.KindDatabase, Address: "10.0.0.2:5432", Name: "orders", Ms: db.Ms, ErrorMs: db.ErrorMs, Waits: 1, RTTMicros: 300, UnansweredMs: 1000, Evidence: tx.EvidenceSocket}, db)
	assert.Equal(t, tx.KindHTTP, web.Kind)
	assert.Equal(t, []edge{
		{"10.0.0.3:80", tx.KindHTTP, 0, 1, web.Ms, 300 * time.Microsecond}, {"orders", tx.KindDatabase, 0, 1, db.Ms, 300 * time.Microsecond},
	}, l.edges(5000))
	assert.Zero(t, l.edges(80_000)[0].rtt, "a round trip of a minute ago is none any more")
	assert.InDelta(t, 2000, db.Ms, float64(db.ErrorMs))
	assert.InDelta(t, 1000, web.Ms, float64(web.ErrorMs))
	require.Len(t, rec.SQL, 1)
	assert.Equal(t, tx.SQL{Text: "select ? from t", Peer: "10.0.0.2:5432", Ms: db.Ms, ErrorMs: db.ErrorMs, Seen: 1, Wait: "Lock: tuple", Evidence: tx.EvidenceSocket}, rec.SQL[0])
}

// TestManyShortStatements has one statement after the other, each seen once: it may have taken
// any part of the time around its look.
func TestManyShortStatements(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	for i, table := range []string{"a", "b", "c", "d"} {
		ms := int64(500 + 1000*i)
		l.look(ms, driver, false)
		waits := l.tracker.Waits(l.at(ms))
		require.Len(t, waits, 1)
		l.tracker.Named(waits[0], tx.Sight{Socket: socket("10.0.0.2:5432"), SQL: "select 1 from " + table})
	}
	rec := l.end()
	require.Len(t, rec.SQL, 4)
	require.Len(t, rec.Peers, 1)
	for _, q := range rec.SQL {
		assert.InDelta(t, 200, q.Ms, float64(q.ErrorMs), "%s: it took a fifth of a second", q.Text)
		assert.InDelta(t, q.Ms, q.ErrorMs, 200, q.Text)
		assert.Less(t, rec.Peers[0].ErrorMs, q.ErrorMs, "all were of one database")
	}
}

func TestNothingIsNamedThatIsNoWait(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.look(500, parked, false)
	assert.Empty(t, l.tracker.Waits(l.at(500)))
	l.tracker.Named(tx.Wait{Key: tx.Key{"p", 0}, ThreadID: 7, CPUNs: 2e6, Class: tx.ClassSQL}, tx.Sight{Socket: socket("10.0.0.2:5432")})
	l.tracker.Named(tx.Wait{Key: tx.Key{"p", 1}, ThreadID: 7, CPUNs: 2e6, Class: tx.ClassWait}, tx.Sight{Socket: socket("10.0.0.2:5432")})
	l.look(1500, driver, false)
	l.look(2500, driver, false)
	l.look(3500, driver, false)
	rec := l.end()
	assert.Empty(t, rec.Peers)
	assert.NotNil(t, rec.Peers)
	assert.NotNil(t, rec.SQL)
}
