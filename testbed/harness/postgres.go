package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// ErrNoPostgres says that PostgreSQL is not installed.
var ErrNoPostgres = errors.New("PostgreSQL not found: apt-get install postgresql")

const (
	postgresUser     = "app"
	postgresDatabase = "postgres"
)

// Postgres is a throwaway cluster that trusts whoever connects.
type Postgres struct {
	*Process
	// Port is on 127.0.0.1. The cluster has no Unix socket.
	Port int
}

// JDBCURL is what the old driver connects with.
func (p *Postgres) JDBCURL() string {
	return fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/%s?user=%s", p.Port, postgresDatabase, postgresUser)
}

// URL is what the owner's login connects with.
func (p *Postgres) URL() string { return p.URLOf(postgresUser) }

// URLOf is what a user's login connects with.
func (p *Postgres) URLOf(user string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", user, p.Port, postgresDatabase)
}

// FindPostgres returns the folder of PostgreSQL's programs: version 15 where
// Debian puts it, else the newest there, else what is on the PATH. It returns
// ErrNoPostgres if there is none.
func FindPostgres() (string, error) {
	best, bestVersion := "", -1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well-formed
	for _, initdb := range found {
		bin := filepath.Dir(initdb)
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err != nil {
			continue
		}
		if version == 15 {
			return bin, nil
		}
		if version > bestVersion {
			best, bestVersion = bin, version
		}
	}
	if best != "" {
		return best, nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrNoPostgres
	}
	return filepath.Dir(initdb), nil
}

// StartPostgres makes a cluster in the bench's folder and waits until it
// accepts connections.
func (b *Bench) StartPostgres(ctx context.Context) (*Postgres, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	bin, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	credential, err := serverCredential("postgres")
	if err != nil {
		return nil, err
	}
	data, err := b.initCluster(ctx, bin, credential)
	if err != nil {
		return nil, err
	}
	for range portAttempts {
		var p *Postgres
		p, err = b.serve(ctx, bin, data, credential)
		if err == nil {
			return p, nil
		}
		if !strings.Contains(err.Error(), "could not bind") {
			break
		}
	}
	return nil, err
}

// initCluster creates an empty cluster owned by the server's user.
func (b *Bench) initCluster(ctx context.Context, bin string, credential *syscall.Credential) (string, error) {
	data, err := b.Folder("postgres")
	if err != nil {
		return "", err
	}
	if credential != nil {
		if err := os.Chown(data, int(credential.Uid), int(credential.Gid)); err != nil {
			return "", err
		}
	}
	initdb, err := b.Start(ctx, Command{
		Name: "initdb",
		Path: filepath.Join(bin, "initdb"),
		Args: []string{
			"--pgdata", data, "--username", postgresUser, "--auth", "trust",
			"--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
		},
		Credential: credential,
	})
	if err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("initdb: %w", context.Cause(ctx))
	case <-initdb.Ended():
	}
	if initdb.err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", initdb.err, initdb.Tail())
	}
	return data, nil
}

// serve starts the server on a free port.
func (b *Bench) serve(ctx context.Context, bin, data string, credential *syscall.Credential) (*Postgres, error) {
	port, err := FreePort(ctx)
	if err != nil {
		return nil, err
	}
	server, err := b.Start(ctx, Command{
		Name: "postgres",
		Path: filepath.Join(bin, "postgres"),
		Args: []string{
			"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
			"-c", "unix_socket_directories=",
			"-c", "fsync=off",
			"-c", "shared_buffers=16MB",
			"-c", "max_connections=40",
			// Files in the data folder instead of segments that outlive a kill.
			"-c", "dynamic_shared_memory_type=mmap",
		},
		Credential:    credential,
		StopSignal:    syscall.SIGINT,  // fast shutdown: does not wait for clients
		AbandonSignal: syscall.SIGQUIT, // immediate, but frees its shared memory
	})
	if err != nil {
		return nil, err
	}
	if _, err := server.AwaitOutput(ctx, regexp.MustCompile(`ready to accept connections`)); err != nil {
		return nil, err
	}
	return &Postgres{Process: server, Port: port}, nil
}

// serverCredential is a database's user when this process is root, whom its server
// refuses to run as; else nil.
func serverCredential(name string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil // nil means: as we are
	}
	account, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("databases do not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
