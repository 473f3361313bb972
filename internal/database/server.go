// Package database asks databases what their sessions do, by a login for monitoring.
// It reads views of the system alone, by one connection a server.
package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// connectTimeout bounds the making of a connection, lookTimeout one question.
	connectTimeout = 2 * time.Second
	lookTimeout    = 500 * time.Millisecond
	// between is the least time between two questions to one server.
	between = 50 * time.Millisecond
	// restAfter is how long a server that failed is left alone at first; at each
	// further failure twice as long, up to maxRest.
	restAfter = 5 * time.Second
	maxRest   = 5 * time.Minute
	// maxSockets bounds the sessions of one question.
	maxSockets = 200
	// maxPassword bounds the file of a password.
	maxPassword = 4096
)

// Options are one login.
type Options struct {
	// Name is what people call the database.
	Name string
	// URL is postgres://user@host:5432/database?sslmode=..., as libpq has it, or
	// mysql://user@host:3306/?ssl-mode=...&ssl-ca=..., as MySQL's own tools have it;
	// mariadb:// means the same.
	URL string
	// PasswordFile has the password; it is read for each connection. Empty means the
	// URL's, or none.
	PasswordFile string
	Logger       *slog.Logger
}

// Session is what a database says of one of its sessions.
type Session struct {
	// Active says that it works on a statement.
	Active bool
	// Query is that statement, with its literals.
	Query string
	// Age is how long it has been at it, by the database's clock.
	Age time.Duration
	// Wait is what the session itself waits for, such as "Lock: transactionid"; empty
	// while it works.
	Wait string
}

// dialect is how one kind of database is asked.
type dialect interface {
	name() tx.Dialect
	// check is what stands against a URL; it does not show it.
	check(login *url.URL) error
	// connect makes a connection; it dials by the given function.
	connect(ctx context.Context, login *url.URL, dial dialFunc) (conn, error)
}

// conn is a connection to a database.
type conn interface {
	// greet asks a new connection for the address that the server has for itself; it
	// may be invalid. The warning says what the login may not see.
	greet(ctx context.Context) (own netip.AddrPort, warning string, err error)
	// sessions are those of clients with these ports, by their addresses.
	sessions(ctx context.Context, ports []string) (map[netip.AddrPort]Session, error)
	Close() error
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Server is a database server that we have a login to. It connects when it is first
// asked. Safe for concurrent use.
type Server struct {
	opts    Options
	login   *url.URL
	dialect dialect

	mu sync.Mutex
	// conn is the connection, nil without one; ends are the addresses that clients
	// reach the server by, as far as they are known.
	conn conn
	ends []netip.AddrPort
	// dialled is the other end of the connection that was made last.
	dialled netip.AddrPort
	// next is when the server may be asked again, rest how long it is left alone after
	// the next failure.
	next time.Time
	rest time.Duration
}

// dialectOf is the dialect of a URL's scheme, nil where it is not known.
func dialectOf(scheme string) dialect {
	switch scheme {
	case "postgres", "postgresql":
		return postgres{}
	case "mysql", "mariadb":
		return mySQL{}
	}
	return nil
}

// ParseURL reads the URL of a login. The error says what is wrong with it, without showing it.
func ParseURL(raw string) (*url.URL, error) {
	login, err := url.Parse(raw)
	switch {
	case err != nil || login.Host == "" || login.User.Username() == "":
		return nil, errors.New("has no URL such as postgres://user@host:5432/database or mysql://user@host:3306/")
	case dialectOf(login.Scheme) == nil:
		return nil, fmt.Errorf("has a URL of %q: only postgres://, mysql:// and mariadb:// are known", login.Scheme)
	}
	return login, dialectOf(login.Scheme).check(login)
}

// New is a Server that has not connected yet. The error says what is wrong with the
// URL, without showing it.
func New(opts Options) (*Server, error) {
	login, err := ParseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	return &Server{opts: opts, login: login, dialect: dialectOf(login.Scheme)}, nil
}

// Name is what people call the database, its host and port without a name.
func (s *Server) Name() string {
	if s.opts.Name != "" {
		return s.opts.Name
	}
	return s.login.Host
}

// Dialect is how its statements are to be read.
func (s *Server) Dialect() tx.Dialect { return s.dialect.name() }

// connect makes a connection.
func (s *Server) connect(ctx context.Context) (conn, error) {
	login := *s.login
	if s.opts.PasswordFile != "" {
		password, err := readPassword(s.opts.PasswordFile)
		if err != nil {
			return nil, err
		}
		login.User = url.UserPassword(login.User.Username(), password)
	}
	return s.dialect.connect(ctx, &login, func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			s.dialled = endOf(c.RemoteAddr())
		}
		return c, err
	})
}

func readPassword(name string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	if len(content) > maxPassword {
		return "", fmt.Errorf("%s: a password of more than %d bytes", name, maxPassword)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

func endOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	end := tcp.AddrPort()
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
}

// Sessions are those at the other ends of sockets, by the sockets' local ends. Sockets
// of other servers have none. A server that fails is left alone for some time, in which
// there is neither a session nor an error.
func (s *Server) Sessions(ctx context.Context, sockets []jvm.Socket) (map[netip.AddrPort]Session, error) {
	if len(sockets) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && !slices.ContainsFunc(sockets, s.serves) || !s.ready(ctx) {
		return nil, nil
	}
	old := s.conn != nil
	found, err := s.look(ctx, sockets)
	if err != nil && old { // the connection may have been ended meanwhile
		s.hangUp()
		found, err = s.look(ctx, sockets)
	}
	if err == nil {
		s.rest, s.next = 0, time.Now().Add(between)
		return found, nil
	}
	s.hangUp()
	s.rest = min(max(2*s.rest, restAfter), maxRest)
	s.next = time.Now().Add(s.rest)
	return nil, fmt.Errorf("database %s: %w", s.Name(), err)
}

// ready waits for the moment at which the server may be asked; false if that is too
// far.
func (s *Server) ready(ctx context.Context) bool {
	left := time.Until(s.next)
	if left > between {
		return false
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (s *Server) look(ctx context.Context, sockets []jvm.Socket) (map[netip.AddrPort]Session, error) {
	if s.conn == nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var ports []string
	wanted := map[netip.AddrPort]bool{}
	for _, socket := range sockets {
		if s.serves(socket) && len(ports) < maxSockets {
			ports = append(ports, fmt.Sprint(socket.Local.Port()))
			wanted[socket.Local] = true
		}
	}
	if len(ports) == 0 {
		return nil, nil
	}
	all, err := s.conn.sessions(ctx, ports)
	if err != nil {
		return nil, err
	}
	for client := range all {
		if !wanted[client] {
			delete(all, client) // the same port of another host
		}
	}
	return all, nil
}

// open connects, and learns what the server is reached by.
func (s *Server) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	own, warning, err := conn.greet(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.conn, s.ends = conn, []netip.AddrPort{s.dialled}
	if own.IsValid() && own != s.dialled {
		s.ends = append(s.ends, own)
	}
	if warning != "" {
		s.opts.Logger.Warn("a database tells little of its sessions", "database", s.Name(), "reason", warning)
	}
	return nil
}

// serves tells whether a socket's other end is this server. An address of the loopback
// means this machine only within our own network namespace; there all of them are
// alike.
func (s *Server) serves(socket jvm.Socket) bool {
	local := socket.Remote.Addr().IsLoopback()
	if local && !socket.Near {
		return false
	}
	return slices.ContainsFunc(s.ends, func(end netip.AddrPort) bool {
		return end == socket.Remote || local && end.Addr().IsLoopback() && end.Port() == socket.Remote.Port()
	})
}

func (s *Server) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close() // it may be broken
		s.conn = nil
	}
}

// Close ends the connection.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUp()
	return nil
}
