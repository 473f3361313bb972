package e2e

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/database"
	"github.com/apm-sidecar/apm-sidecar/internal/database/mysql"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// mariaClient is a session of MariaDB's root.
type mariaClient struct {
	conn   *mysql.Conn
	socket jvm.Socket
}

func connectMaria(ctx context.Context, t *testing.T, db *harness.MariaDB) mariaClient {
	t.Helper()
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(db.Port)).String())
	require.NoError(t, err)
	conn, err := mysql.NewConn(ctx, plain, mysql.Login{User: "root"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return mariaClient{conn, jvm.Socket{
		Local: plain.LocalAddr().(*net.TCPAddr).AddrPort(), Remote: plain.RemoteAddr().(*net.TCPAddr).AddrPort(), Near: true,
	}}
}

// run asks things of which the answer does not matter.
func (c mariaClient) run(ctx context.Context, t *testing.T, questions ...string) {
	t.Helper()
	for _, q := range questions {
		_, err := c.conn.Query(ctx, q)
		require.NoError(t, err, q)
	}
}

// start has it work on a question; the channel tells how that ended.
func (c mariaClient) start(ctx context.Context, question string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := c.conn.Query(ctx, question)
		ended <- err
	}()
	return ended
}

// TestSessionsOfMariaDB asks a real server, over TLS, what a session does while it works,
// while it waits for a row, and while it does nothing.
func TestSessionsOfMariaDB(t *testing.T) {
	t.Parallel()
	bench := newBench(t)
	db, err := bench.StartMariaDB(t.Context())
	if errors.Is(err, harness.ErrNoMariaDB) {
		t.Skip(err)
	}
	require.NoError(t, err)
	client, holder := connectMaria(t.Context(), t, db), connectMaria(t.Context(), t, db)
	client.run(t.Context(), t,
		"create user watcher identified by 'it''s hush'", "grant process on *.* to watcher", "create user blind identified by 'hush'",
		"create table mysql.t (id int primary key, n int) engine=innodb", "insert into mysql.t values (1, 1)")

	server := func(user, password string) *database.Server {
		t.Helper()
		s, err := database.New(database.Options{Name: "shop", URL: db.URLOf(user, password), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	}
	watcher, blind := server("watcher", "it%27s%20hush"), server("blind", "hush")
	ask := func(s *database.Server, socket jvm.Socket) database.Session {
		t.Helper()
		sessions, err := s.Sessions(t.Context(), []jvm.Socket{socket})
		require.NoError(t, err)
		return sessions[socket.Local]
	}
	// The server answers first, and then has the session asleep.
	assert.Eventually(t, func() bool { return !ask(watcher, client.socket).Active }, patience, 20*time.Millisecond, "it does nothing")

	id, err := client.conn.Query(t.Context(), "select connection_id()")
	require.NoError(t, err)
	began := time.Now()
	ended := client.start(t.Context(), "select sleep(600) as napping")
	var session database.Session
	assert.Eventually(t, func() bool {
		session = ask(watcher, client.socket)
		return session.Active && session.Wait == "User sleep" // before that it begins
	}, patience, 20*time.Millisecond)
	assert.Equal(t, "select sleep(600) as napping", session.Query, "%+v", session)
	assert.Positive(t, session.Age)
	assert.Less(t, session.Age, time.Since(began)+time.Second)
	assert.Zero(t, ask(blind, client.socket), "without the right nothing is seen")
	stranger := client.socket
	stranger.Local = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), client.socket.Local.Port())
	assert.Zero(t, ask(watcher, stranger), "another client of the same port")
	holder.run(t.Context(), t, "kill query "+id[0][0].String)
	interrupted := (*mysql.Error)(nil)
	require.ErrorAs(t, <-ended, &interrupted)

	client.run(t.Context(), t, "set session innodb_lock_wait_timeout = 600")
	holder.run(t.Context(), t, "begin", "update mysql.t set n = 2 where id = 1")
	ended = client.start(t.Context(), "update mysql.t set n = 3 where id = 1")
	assert.Eventually(t, func() bool {
		session = ask(watcher, client.socket)
		return session.Wait == "Lock: row"
	}, patience, 250*time.Millisecond, "InnoDB tells the same as before to who asks again within a tenth of a second")
	assert.Equal(t, "update mysql.t set n = 3 where id = 1", session.Query, "%+v", session)
	holder.run(t.Context(), t, "rollback")
	require.NoError(t, <-ended)
}

// TestMySQLProtocol has the client read all that a real server may say.
func TestMySQLProtocol(t *testing.T) {
	t.Parallel()
	bench := newBench(t)
	db, err := bench.StartMariaDB(t.Context())
	if errors.Is(err, harness.ErrNoMariaDB) {
		t.Skip(err)
	}
	require.NoError(t, err)
	c := connectMaria(t.Context(), t, db).conn
	assert.Contains(t, c.Version, "MariaDB")
	rows, err := c.Query(t.Context(), "select 1, null, '', repeat('x', 300), repeat('y', 70000)")
	require.NoError(t, err)
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	assert.Equal(t, [][]sql.NullString{{text("1"), {}, text(""), text(strings.Repeat("x", 300)), text(strings.Repeat("y", 70000))}}, rows)
	_, err = c.Query(t.Context(), "select nonsense")
	refused := (*mysql.Error)(nil)
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, uint16(1054), refused.Code)
	rows, err = c.Query(t.Context(), "select 1 from dual where 1 = 0")
	require.NoError(t, err, "an error of the server leaves the connection as it is")
	assert.Empty(t, rows)
	_, err = c.Query(t.Context(), "select * from information_schema.collations a, information_schema.collations b")
	require.ErrorContains(t, err, "more than 1000 rows")

	c = connectMaria(t.Context(), t, db).conn
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Query(ctx, "select sleep(60)")
	require.ErrorIs(t, err, context.DeadlineExceeded)

	plain, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(db.Port)).String())
	require.NoError(t, err)
	_, err = mysql.NewConn(t.Context(), plain, mysql.Login{User: "root", Password: "wrong"})
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, uint16(1045), refused.Code)
	assert.NotContains(t, err.Error(), "wrong")
}
