package database

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// postgres asks PostgreSQL from 9.6 on, and what speaks like it.
type postgres struct{}

func (postgres) name() tx.Dialect { return tx.DialectPostgreSQL }

// postgresDialer is dialFunc as lib/pq wants it.
type postgresDialer dialFunc

// DialContext connects.
func (d postgresDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// Dial connects.
func (d postgresDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, connectTimeout)
}

// DialTimeout connects.
func (d postgresDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d(ctx, network, address)
}

func (postgres) check(*url.URL) error { return nil }

func (postgres) connect(ctx context.Context, login *url.URL, dial dialFunc) (conn, error) {
	parameters := login.Query()
	for name, value := range map[string]string{
		"application_name":              "apm-sidecar",
		"statement_timeout":             lookTimeout.String(),
		"default_transaction_read_only": "on",
	} {
		parameters.Set(name, value)
	}
	login.RawQuery = parameters.Encode()
	connector, err := pq.NewConnector(login.String())
	if err != nil {
		return nil, err
	}
	connector.Dialer(postgresDialer(dial))
	pool := sql.OpenDB(connector)
	pool.SetMaxIdleConns(0) // ours is never idle
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &postgresConn{pool, c}, nil
}

// postgresConn is the one connection of a pool.
type postgresConn struct {
	pool *sql.DB
	conn *sql.Conn
}

// Close ends the connection.
func (p *postgresConn) Close() error { return errors.Join(p.conn.Close(), p.pool.Close()) }

// unseen is what pg_stat_activity shows of the statements of others without the right.
const unseen = "<insufficient privilege>"

func (p *postgresConn) greet(ctx context.Context) (own netip.AddrPort, warning string, err error) {
	var address sql.NullString
	var port sql.NullInt32
	var hidden int
	err = p.conn.QueryRowContext(ctx, `select pg_catalog.host(pg_catalog.inet_server_addr()), pg_catalog.inet_server_port(),
		(select count(*) from pg_catalog.pg_stat_activity where query = '`+unseen+`')`).Scan(&address, &port, &hidden)
	if err != nil {
		return own, "", err
	}
	if ip, err := netip.ParseAddr(address.String); err == nil {
		own = netip.AddrPortFrom(ip.Unmap(), uint16(port.Int32))
	}
	if hidden > 0 {
		warning = "the login may not see other users' sessions: grant pg_monitor to it"
	}
	return own, warning, nil
}

// sessions reads pg_stat_activity (PostgreSQL's manual, 28.2.3). ports are numbers.
func (p *postgresConn) sessions(ctx context.Context, ports []string) (map[netip.AddrPort]Session, error) {
	rows, err := p.conn.QueryContext(ctx, `select pg_catalog.host(client_addr), client_port, coalesce(state, ''), coalesce(query, ''),
		coalesce(extract(epoch from pg_catalog.clock_timestamp() - query_start), 0)::float8,
		coalesce(wait_event_type, ''), coalesce(wait_event, '')
		from pg_catalog.pg_stat_activity where client_addr is not null and client_port in (`+strings.Join(ports, ",")+`)`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[netip.AddrPort]Session{}
	for rows.Next() {
		var address, state, waitType, wait string
		var port uint16
		var seconds float64
		var session Session
		if err := rows.Scan(&address, &port, &state, &session.Query, &seconds, &waitType, &wait); err != nil {
			return nil, err
		}
		ip, err := netip.ParseAddr(address)
		if err != nil || session.Query == unseen {
			continue
		}
		session.Active = state == "active"
		session.Age = time.Duration(seconds * float64(time.Second))
		if waitType != "" && waitType != "Client" {
			session.Wait = waitType + ": " + wait
		}
		found[netip.AddrPortFrom(ip.Unmap(), port)] = session
	}
	return found, rows.Err()
}
