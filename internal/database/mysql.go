package database

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/database/mysql"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// mySQL asks MySQL from 5.5 and MariaDB from 10.1 on, and what speaks like them.
type mySQL struct{}

func (mySQL) name() tx.Dialect { return tx.DialectMySQL }

func (mySQL) check(login *url.URL) error {
	_, err := mySQLSecurity(login)
	return err
}

func (mySQL) connect(ctx context.Context, login *url.URL, dial dialFunc) (conn, error) {
	security, err := mySQLSecurity(login)
	if err != nil {
		return nil, err
	}
	plain, err := dial(ctx, "tcp", net.JoinHostPort(login.Hostname(), cmp.Or(login.Port(), "3306")))
	if err != nil {
		return nil, err
	}
	password, _ := login.User.Password()
	c, err := mysql.NewConn(ctx, plain, mysql.Login{User: login.User.Username(), Password: password, TLS: security})
	if err != nil {
		return nil, err
	}
	return &mySQLConn{Conn: c}, nil
}

// mySQLSecurity is what a URL's ssl-mode and ssl-ca ask for; nil is for no encryption. Without a
// mode the connection is encrypted, and the server may be anyone.
func mySQLSecurity(login *url.URL) (*tls.Config, error) {
	security := &tls.Config{ServerName: login.Hostname(), MinVersion: tls.VersionTLS12}
	if file := login.Query().Get("ssl-ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("has no ssl-ca to read: %w", err)
		}
		security.RootCAs = x509.NewCertPool()
		if !security.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("has an ssl-ca without a certificate: %s", file)
		}
	}
	switch mode := strings.ToLower(login.Query().Get("ssl-mode")); mode {
	case "disabled":
		return nil, nil
	case "", "required":
		security.InsecureSkipVerify = true //nolint:gosec // as the mode has it
	case "verify_identity":
	default:
		return nil, fmt.Errorf("has an ssl-mode of %q: disabled, required and verify_identity are known", mode)
	}
	return security, nil
}

// mySQLConn is a connection.
type mySQLConn struct {
	*mysql.Conn
	// question asks for sessions; it wants their ports.
	question string
}

// accessDenied is the error of those who lack a privilege (ER_SPECIFIC_ACCESS_DENIED_ERROR).
const accessDenied = 1227

// greet finds out how the server is to be asked. It does not know by which address it
// is reached.
func (c *mySQLConn) greet(ctx context.Context) (own netip.AddrPort, warning string, err error) {
	rows, err := c.Query(ctx, `select @@performance_schema, count(*) from information_schema.tables
		where table_schema = 'performance_schema' and table_name = 'processlist'`)
	if err != nil {
		return own, "", err
	}
	_, err = c.Query(ctx, "select trx_state from information_schema.innodb_trx limit 1")
	sees := true
	if refused := (*mysql.Error)(nil); errors.As(err, &refused) {
		sees = false
		if refused.Code == accessDenied {
			warning = "the login may not see other users' sessions: grant PROCESS to it"
		}
	} else if err != nil {
		return own, "", err
	}
	modern := len(rows) == 1 && rows[0][0].String == "1" && rows[0][1].String == "1"
	c.question = mySQLQuestion(strings.Contains(c.Version, "MariaDB"), modern, sees)
	return own, warning, nil
}

// mySQLQuestion asks for sessions (MySQL's manual, "The processlist Table", "The
// INFORMATION_SCHEMA INNODB_TRX Table"; MariaDB's "Information Schema PROCESSLIST Table"). MySQL
// counts whole seconds. modern has the table that takes no lock, from MySQL 8.0.22 on. Who
// sees all sees waits for rows, too.
func mySQLQuestion(mariaDB, modern, sees bool) string {
	limit, milliseconds, table := "select /*+ max_execution_time(%d) */", "greatest(p.time - 1, 0) * 1000", "information_schema.processlist"
	switch {
	case mariaDB:
		limit, milliseconds = "set statement max_statement_time = %d / 1000 for select", "p.time_ms"
	case modern:
		table = "performance_schema.processlist"
	}
	state, join := "null", ""
	if sees {
		state, join = "t.trx_state", " left join information_schema.innodb_trx t on t.trx_mysql_thread_id = p.id"
	}
	return fmt.Sprintf(limit, lookTimeout.Milliseconds()) + " p.host, p.command, left(p.info, 65537), " + milliseconds + ", p.state, " + state +
		" from " + table + " p" + join + " where substring_index(p.host, ':', -1) in ("
}

// sessions reads the list of processes. ports are numbers.
func (c *mySQLConn) sessions(ctx context.Context, ports []string) (map[netip.AddrPort]Session, error) {
	rows, err := c.Query(ctx, c.question+"'"+strings.Join(ports, "','")+"')")
	if err != nil {
		return nil, err
	}
	found := map[netip.AddrPort]Session{}
	for _, row := range rows {
		session := mySQLSession(row)
		for _, client := range clients(ctx, row[0].String) {
			found[client] = session
		}
	}
	return found, nil
}

func mySQLSession(row []sql.NullString) Session {
	command, query, state := row[1].String, row[2].String, row[4].String
	milliseconds, _ := strconv.ParseFloat(row[3].String, 64) // 0 of what is no number
	session := Session{
		Active: command != "Sleep" && command != "Daemon" && query != "",
		Query:  query,
		Age:    time.Duration(milliseconds * float64(time.Millisecond)),
	}
	switch {
	case row[5].String == "LOCK WAIT":
		session.Wait = "Lock: row"
	case strings.HasPrefix(state, "Waiting ") || strings.HasPrefix(state, "User "):
		session.Wait = state
	}
	return session
}

// clients are the addresses of a client as the server tells it: its address, or the name
// that the server found for it, and the port behind the last colon.
func clients(ctx context.Context, host string) []netip.AddrPort {
	colon := strings.LastIndexByte(host, ':')
	port, err := strconv.ParseUint(host[colon+1:], 10, 16)
	if colon < 0 || err != nil {
		return nil
	}
	addresses := []netip.Addr{}
	if ip, err := netip.ParseAddr(host[:colon]); err == nil {
		addresses = append(addresses, ip)
	} else if named, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host[:colon]); err == nil {
		addresses = named
	}
	ends := make([]netip.AddrPort, len(addresses))
	for i, ip := range addresses {
		ends[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return ends
}
