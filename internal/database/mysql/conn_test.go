package mysql_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // the method is the protocol's
	"crypto/sha256"
	"crypto/tls"
	"database/sql"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/database/mysql"
	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

const challenge = "abcdefghijklmnopqrst"

// server is the other end of a connection, played by a test.
type server struct {
	t      *testing.T
	stream io.ReadWriter
	plain  net.Conn
	next   byte
}

func (s *server) write(content string) {
	n := len(content)
	_, err := s.stream.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), s.next}, content...))
	assert.NoError(s.t, err)
	s.next++
}

func (s *server) read() string {
	head := make([]byte, 4)
	_, err := io.ReadFull(s.stream, head)
	assert.NoError(s.t, err)
	assert.Equal(s.t, s.next, head[3], "the number of the packet")
	s.next++
	content := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err = io.ReadFull(s.stream, content)
	assert.NoError(s.t, err)
	return string(content)
}

// greeting is that of a server with a preferred method.
func greeting(method string, able uint32) string {
	low, high := binary.LittleEndian.AppendUint16(nil, uint16(able)), binary.LittleEndian.AppendUint16(nil, uint16(able>>16))
	return "\x0a8.4.3\x00\x01\x02\x03\x04" + challenge[:8] + "\x00" + string(low) + "\xff\x02\x00" + string(high) + "\x15" + strings.Repeat("\x00", 10) +
		challenge[8:] + "\x00" + method + "\x00"
}

const (
	ableTLS = 0x88200 | 0x800
	able    = 0x88200
	fine    = "\x00\x00\x00\x02\x00\x00\x00"
)

// play connects to a server that does what a test says, and waits until it has.
func play(t *testing.T, login mysql.Login, plays func(*server)) (*mysql.Conn, error) {
	t.Helper()
	near, far := net.Pipe()
	played := make(chan struct{})
	go func() {
		defer close(played)
		plays(&server{t: t, stream: far, plain: far})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := mysql.NewConn(ctx, near, login)
	if err != nil {
		<-played
	}
	t.Cleanup(func() { assert.NoError(t, far.Close()) })
	return c, err
}

func native(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	mixed := sha1.Sum(append([]byte(challenge), twice[:]...))
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return string(mixed[:])
}

func sha2(password string) string {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	mixed := sha256.Sum256(append(twice[:], challenge...))
	for i := range mixed {
		mixed[i] ^= once[i]
	}
	return string(mixed[:])
}

func TestLogin(t *testing.T) {
	t.Parallel()
	files, err := certs.Write(t.TempDir())
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	login := mysql.Login{User: "apm", Password: "hush"}
	secure := mysql.Login{User: "apm", Password: "hush", TLS: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // a test
	f := func(name string, login mysql.Login, want string, plays func(*server)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := play(t, login, plays)
			if want != "" {
				require.ErrorContains(t, err, want)
				assert.NotContains(t, err.Error(), "hush")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "8.4.3", c.Version)
		})
	}
	f("native", login, "", func(s *server) {
		s.write(greeting("mysql_native_password", able))
		assert.Contains(s.t, s.read(), "apm\x00\x14"+native("hush")+"mysql_native_password\x00")
		s.write(fine)
	})
	f("known to the cache", login, "", func(s *server) {
		s.write(greeting("caching_sha2_password", able))
		assert.Contains(s.t, s.read(), "apm\x00\x20"+sha2("hush")+"caching_sha2_password\x00")
		s.write("\x01\x03")
		s.write(fine)
	})
	f("the password is not told in the clear", login, "ssl-mode=required", func(s *server) {
		s.write(greeting("caching_sha2_password", able))
		s.read()
		s.write("\x01\x04")
	})
	f("the password is told over TLS", secure, "", func(s *server) {
		s.write(greeting("caching_sha2_password", ableTLS))
		assert.Len(s.t, s.read(), 32, "nobody's name before TLS")
		s.stream = tls.Server(s.plain, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		assert.Contains(s.t, s.read(), "apm\x00\x20"+sha2("hush"))
		s.write("\x01\x04")
		assert.Equal(s.t, "hush\x00", s.read())
		s.write(fine)
	})
	f("no TLS", secure, "ssl-mode=disabled", func(s *server) { s.write(greeting("mysql_native_password", able)) })
	f("another method", login, "", func(s *server) {
		s.write(greeting("caching_sha2_password", able))
		s.read()
		s.write("\xfemysql_native_password\x00" + challenge + "\x00")
		assert.Equal(s.t, native("hush"), s.read())
		s.write(fine)
	})
	f("the server prefers a method that is not known", login, "", func(s *server) {
		s.write(greeting("auth_gssapi_client", able))
		s.read()
		s.write("\xfemysql_native_password\x00" + challenge + "\x00")
		s.read()
		s.write(fine)
	})
	f("the user has a method that is not known", login, `"client_ed25519"`, func(s *server) {
		s.write(greeting("mysql_native_password", able))
		s.read()
		s.write("\xfeclient_ed25519\x00" + challenge + "\x00")
	})
	f("the clear password is not told because a server says so", secure, `"mysql_clear_password"`, func(s *server) {
		s.write(greeting("mysql_native_password", ableTLS))
		s.read()
		s.stream = tls.Server(s.plain, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		s.read()
		s.write("\xfemysql_clear_password\x00")
	})
	f("refused", login, "error 1045: Access denied", func(s *server) {
		s.write(greeting("mysql_native_password", able))
		s.read()
		s.write("\xff\x15\x04#28000Access denied")
	})
	f("too many connections", login, "error 1040: Too many connections", func(s *server) { s.write("\xff\x10\x04Too many connections") })
	f("another protocol", login, "not MySQL's protocol", func(s *server) { s.write("SSH-2.0-OpenSSH") })
	f("a greeting that breaks off", login, "not MySQL's protocol", func(s *server) { s.write(greeting("", able)[:30]) })
	f("too long a packet", login, "not MySQL's protocol", func(s *server) {
		_, err := s.stream.Write([]byte("\xff\xff\xff\x00"))
		assert.NoError(s.t, err)
	})
}

// FuzzQuery: whatever a server answers, there are rows of as many columns, or an error.
func FuzzQuery(f *testing.F) {
	const end = "\x05\x00\x00\x04\xfe\x00\x00\x02\x00"
	f.Add([]byte("\x01\x00\x00\x01\x01\x01\x00\x00\x02x\x05\x00\x00\x03\xfe\x00\x00\x02\x00\x02\x00\x00\x04\x01a\x05\x00\x00\x05\xfe\x00\x00\x02\x00"))
	f.Add([]byte("\x07\x00\x00\x01" + fine))
	f.Add([]byte("\x01\x00\x00\x01\xfb"))
	f.Add([]byte("\x09\x00\x00\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff" + end))
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, err := play(t, mysql.Login{User: "apm"}, func(s *server) {
			s.write(greeting("mysql_native_password", able))
			s.read()
			s.write(fine)
			s.next = 0
			s.read()
			go func() { _, _ = io.Copy(io.Discard, s.plain) }()
			_, _ = s.plain.Write(answer) // the client may have seen enough
			_ = s.plain.Close()
		})
		require.NoError(t, err)
		rows, err := c.Query(t.Context(), "select 1")
		_ = c.Close()
		if err != nil {
			assert.Empty(t, rows)
			return
		}
		for _, row := range rows {
			assert.Len(t, row, len(rows[0]))
		}
	})
}

func TestQuery(t *testing.T) {
	t.Parallel()
	c, err := play(t, mysql.Login{User: "apm"}, func(s *server) {
		s.write(greeting("mysql_native_password", able))
		s.read()
		s.write(fine)
		s.next = 0
		assert.Equal(s.t, "\x03select 1", s.read())
		s.write("\x02")
		s.write("a column")
		s.write("another column")
		s.write("\xfe\x00\x00\x02\x00")
		s.write("\x03one\xfb")
		s.write("\xfc\x04\x00four\x00")
		s.write("\xfe\x00\x00\x02\x00")
	})
	require.NoError(t, err)
	rows, err := c.Query(t.Context(), "select 1")
	require.NoError(t, err)
	assert.Equal(t, [][]sql.NullString{{{String: "one", Valid: true}, {}}, {{String: "four", Valid: true}, {Valid: true}}}, rows)
}
