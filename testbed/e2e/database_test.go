package e2e

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/database"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// ends notes the ends of the connections that it makes.
type ends struct{ local, remote netip.AddrPort }

func (e *ends) Dial(network, address string) (net.Conn, error) {
	return e.DialTimeout(network, address, time.Minute)
}

func (e *ends) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(context.Background(), network, address)
	if err == nil {
		e.local, e.remote = c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
	}
	return c, err
}

// TestSessionsOfPostgres asks a real server what a session does while it works, and
// while it does not.
func TestSessionsOfPostgres(t *testing.T) {
	t.Parallel()
	bench := newBench(t)
	db, err := bench.StartPostgres(t.Context())
	if errors.Is(err, harness.ErrNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	client := &ends{}
	connector, err := pq.NewConnector(db.URL())
	require.NoError(t, err)
	connector.Dialer(client)
	pool := sql.OpenDB(connector)
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "create role watcher login; grant pg_monitor to watcher; create role blind login")
	require.NoError(t, err)

	server := func(user string) *database.Server {
		t.Helper()
		s, err := database.New(database.Options{Name: "shop", URL: db.URLOf(user), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	}
	watcher, blind := server("watcher"), server("blind")
	socket := jvm.Socket{Local: client.local, Remote: client.remote, Near: true}
	ask := func(s *database.Server, socket jvm.Socket) database.Session {
		t.Helper()
		sessions, err := s.Sessions(t.Context(), []jvm.Socket{socket})
		require.NoError(t, err)
		for local := range sessions {
			assert.Equal(t, socket.Local, local)
		}
		return sessions[socket.Local]
	}
	assert.False(t, ask(watcher, socket).Active, "it does nothing")

	working := make(chan error, 1)
	began := time.Now()
	nap, wake := context.WithCancel(t.Context())
	defer wake()
	go func() {
		_, err := conn.ExecContext(nap, "select pg_sleep(600) as napping")
		working <- err
	}()
	var session database.Session
	assert.Eventually(t, func() bool {
		session = ask(watcher, socket)
		return session.Active && session.Wait == "Timeout: PgSleep" // before that it begins
	}, patience, 20*time.Millisecond)
	assert.Equal(t, "select pg_sleep(600) as napping", session.Query, "%+v", session)
	assert.Less(t, session.Age, time.Since(began)+time.Second)

	assert.Zero(t, ask(blind, socket), "without the right nothing is seen")
	far := socket
	far.Near = false
	assert.Zero(t, ask(watcher, far), "the loopback of another network namespace is another machine")
	elsewhere := socket
	elsewhere.Remote = netip.AddrPortFrom(socket.Remote.Addr(), socket.Remote.Port()+1)
	assert.Zero(t, ask(watcher, elsewhere), "another server")
	stranger := socket
	stranger.Local = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), socket.Local.Port())
	assert.Zero(t, ask(watcher, stranger), "another client of the same port")
	wake()
	require.ErrorContains(t, <-working, "cancel")
}

// TestSessionsOfNobody: a server that is not there is left alone after the first
// failure.
func TestSessionsOfNobody(t *testing.T) {
	t.Parallel()
	s, err := database.New(database.Options{URL: "postgres://x:hush@127.0.0.1:1/x?sslmode=disable", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	sockets := []jvm.Socket{{Local: netip.MustParseAddrPort("127.0.0.1:2"), Remote: netip.MustParseAddrPort("127.0.0.1:1"), Near: true}}
	_, err = s.Sessions(t.Context(), sockets)
	require.ErrorContains(t, err, "database 127.0.0.1:1")
	assert.NotContains(t, err.Error(), "hush")
	found, err := s.Sessions(t.Context(), sockets)
	require.NoError(t, err)
	assert.Empty(t, found)
	require.NoError(t, s.Close())
}
