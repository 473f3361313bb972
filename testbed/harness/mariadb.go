package harness

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/testbed/certs"
)

// ErrNoMariaDB says that MariaDB's server is not installed.
var ErrNoMariaDB = errors.New("MariaDB not found: apt-get install mariadb-server")

// MariaDB is a throwaway server whose root needs no password.
type MariaDB struct {
	*Process
	// Port is on 127.0.0.1.
	Port int
	// CAFile is who signed its certificate.
	CAFile string
}

// JDBCURL is what a driver connects with: that of MariaDB ("mariadb") or of MySQL ("mysql").
func (m *MariaDB) JDBCURL(driver string) string {
	return fmt.Sprintf("jdbc:%s://127.0.0.1:%d/mysql?user=root&sslMode=DISABLED", driver, m.Port)
}

// URLOf is what a user's login connects with, over TLS.
func (m *MariaDB) URLOf(user, password string) string {
	return fmt.Sprintf("mariadb://%s:%s@127.0.0.1:%d/?ssl-mode=verify_identity&ssl-ca=%s", user, password, m.Port, url.QueryEscape(m.CAFile))
}

// StartMariaDB makes a server's folder within the bench's and waits until it accepts
// connections. It returns ErrNoMariaDB if there is no server to start.
func (b *Bench) StartMariaDB(ctx context.Context) (*MariaDB, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	install, installErr := exec.LookPath("mariadb-install-db")
	server, serverErr := exec.LookPath("mariadbd")
	if installErr != nil || serverErr != nil {
		return nil, ErrNoMariaDB
	}
	credential, err := serverCredential("mysql")
	if err != nil {
		return nil, err
	}
	data, err := b.Folder("mariadb")
	if err != nil {
		return nil, err
	}
	secrets, err := b.Folder("mariadb-tls")
	if err != nil {
		return nil, err
	}
	// A server that starts removes what it takes for a dead one's temporary tables.
	temporary, err := b.Folder("mariadb-tmp")
	if err != nil {
		return nil, err
	}
	tls, err := certs.Write(secrets)
	if err != nil {
		return nil, err
	}
	for _, own := range []string{data, secrets, temporary, tls.CAFile, tls.CertFile, tls.KeyFile} {
		if credential == nil {
			break
		}
		if err := os.Chown(own, int(credential.Uid), int(credential.Gid)); err != nil {
			return nil, err
		}
	}
	installed, err := b.Start(ctx, Command{
		Name: "mariadb-install-db", Path: install, Credential: credential,
		Args: []string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + temporary, "--auth-root-authentication-method=normal", "--skip-test-db"},
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("mariadb-install-db: %w", context.Cause(ctx))
	case <-installed.Ended():
	}
	if installed.err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", installed.err, installed.Tail())
	}
	for range portAttempts {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		p, err := b.Start(ctx, Command{
			Name: "mariadbd", Path: server, Credential: credential,
			Args: []string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + temporary,
				"--socket=" + data + "/socket", "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
				"--ssl-cert=" + tls.CertFile, "--ssl-key=" + tls.KeyFile, "--ssl-ca=" + tls.CAFile,
				"--max-connections=1000", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"},
		})
		if err != nil {
			return nil, err
		}
		if _, err = p.AwaitOutput(ctx, regexp.MustCompile(`ready for connections`)); err == nil {
			return &MariaDB{p, port, tls.CAFile}, nil
		}
		if !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
	return nil, errors.New("mariadbd: no free port")
}
