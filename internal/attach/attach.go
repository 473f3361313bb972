// Package attach finds the JVMs of this host and speaks their attach protocol (JDK:
// sun.tools.attach.VirtualMachineImpl, and attachListener_posix.cpp): a Unix socket
// that a JVM opens when it is asked to by a file and SIGQUIT.
package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// openTimeout is how long a JVM may take to open its socket.
	openTimeout = 10 * time.Second
	openPause   = 50 * time.Millisecond
	// maxAnswerBytes bounds what a JVM may say.
	maxAnswerBytes = 1 << 20
)

// ErrNoJVM says that the process is no JVM, or none that can be found as one.
var ErrNoJVM = errors.New("is no running HotSpot JVM")

// errNoSocket says that nobody has had the JVM listen yet.
var errNoSocket = errors.New("has no attach socket open")

// errOtherUser says that only that user and root may look at the process.
var errOtherUser = errors.New("runs as user")

// process is a JVM as this host sees it.
type process struct {
	// pid is the process id here, inner the one in the process' own namespace, which
	// names its files.
	pid, inner int
	// root is the root of its file system as seen from here.
	root string
	uid  int
}

// agentModule is what Jolokia's agent serves HTTP with; runtimes made by jlink may lack it.
const agentModule = "jdk.httpserver"

// Load has the JVM load Jolokia's agent: jar is a path as the JVM sees it. A JVM that has one
// is left as it is: a second one would serve beside the first, under other options. The errors
// say what to do.
func Load(ctx context.Context, pid int, jar, options string) error {
	p, err := inspect(pid)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.root, jar)); err != nil {
		return fmt.Errorf("the JVM %d does not see the agent at %s: copy it to where the JVM can read it (its file system is at %s)", pid, jar, p.root)
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	answer, err := p.ask(ctx, "properties")
	if err != nil {
		return err
	}
	properties := parseProperties(answer)
	if url := properties["jolokia.agent"]; url != "" {
		return fmt.Errorf("the JVM %d has a Jolokia agent already, at %s: nothing was loaded. To give it other options stop that one first: java -jar %s stop %d", pid, url, filepath.Base(jar), pid)
	}
	if p.lacks(agentModule, properties["java.home"]) {
		return fmt.Errorf("the runtime of JVM %d, %s, has no module %s, which the agent needs: start it with a runtime that has, or deploy Jolokia as a web application", pid, properties["java.home"], agentModule)
	}
	if err := runsOn(filepath.Join(p.root, jar), properties["java.class.version"]); err != nil {
		return fmt.Errorf("JVM %d: %w", pid, err)
	}
	if answer, err = p.ask(ctx, "load", "instrument", "false", jar+"="+options); err != nil {
		return err
	}
	return loadResult(answer)
}

// lacks tells whether the runtime at home, as the JVM sees it, says which modules it is made of, and
// the module is none of them (JEP 220: the file release).
func (p *process) lacks(module, home string) bool {
	release, err := os.ReadFile(filepath.Join(p.root, home, "release"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(release)) {
		if modules, ok := strings.CutPrefix(strings.TrimSpace(line), `MODULES="`); ok {
			return !slices.Contains(strings.Fields(strings.TrimSuffix(modules, `"`)), module)
		}
	}
	return false
}

// Properties are the system properties of the JVM. It answers only where its socket
// is open already: finding JVMs must not send them signals.
func Properties(ctx context.Context, pid int) (map[string]string, error) {
	p, err := inspect(pid)
	if err != nil {
		return nil, err
	}
	if !isSocket(p.socket()) {
		return nil, fmt.Errorf("JVM %d %w", pid, errNoSocket)
	}
	answer, err := p.ask(ctx, "properties")
	if errors.Is(err, unix.ECONNREFUSED) { // the file is of an earlier process with that id, which was killed
		return nil, fmt.Errorf("JVM %d %w", pid, errNoSocket)
	}
	if err != nil {
		return nil, err
	}
	return parseProperties(answer), nil
}

// AwaitJolokia waits until the agent in the JVM has said where it listens, which it
// does some time after it was loaded.
func AwaitJolokia(ctx context.Context, pid int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	tick := time.NewTicker(openPause)
	defer tick.Stop()
	for {
		properties, err := Properties(ctx, pid)
		if err != nil && ctx.Err() == nil {
			return "", err
		}
		if url := properties["jolokia.agent"]; url != "" {
			return url, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the agent in JVM %d does not say within %s where it listens: see the JVM's own output; its port may be taken", pid, openTimeout)
		case <-tick.C:
		}
	}
}

// inspect looks at a process and says why it cannot be attached to.
func inspect(pid int) (*process, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("process %d %w: there is no such process", pid, ErrNoJVM)
	}
	p := &process{pid: pid, inner: pid, uid: -1, root: fmt.Sprintf("/proc/%d/root", pid)}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 2 && fields[0] == "Uid:":
			p.uid, err = strconv.Atoi(fields[2]) // the effective one
		case len(fields) > 1 && fields[0] == "NSpid:":
			p.inner, err = strconv.Atoi(fields[len(fields)-1])
		}
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	if me := os.Geteuid(); me != 0 && me != p.uid {
		return nil, fmt.Errorf("JVM %d %w %d, this program as %d: run it as that user or as root", pid, errOtherUser, p.uid, me)
	}
	if _, err := os.Stat(p.root + "/"); err != nil {
		return nil, fmt.Errorf("the file system of JVM %d cannot be read, it may be in a container of another user: %w", pid, err)
	}
	return p, nil
}

// socket is where the JVM listens once it was asked to.
func (p *process) socket() string { return fmt.Sprintf("%s/tmp/.java_pid%d", p.root, p.inner) }

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// open has the JVM open its socket.
func (p *process) open(ctx context.Context) error {
	if isSocket(p.socket()) {
		return nil
	}
	if err := p.mayBeSignalled(); err != nil {
		return err
	}
	request := fmt.Sprintf("/proc/%d/cwd/.attach_pid%d", p.pid, p.inner)
	if err := p.touch(request); err != nil {
		request = fmt.Sprintf("%s/tmp/.attach_pid%d", p.root, p.inner)
		if err := p.touch(request); err != nil {
			return fmt.Errorf("ask JVM %d to listen: %w", p.pid, err)
		}
	}
	defer os.Remove(request)
	if err := unix.Kill(p.pid, unix.SIGQUIT); err != nil {
		return fmt.Errorf("signal JVM %d: %w", p.pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	tick := time.NewTicker(openPause)
	defer tick.Stop()
	for !isSocket(p.socket()) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("JVM %d does not listen within %s: -XX:+DisableAttachMechanism may be set, its log then has a thread dump instead", p.pid, openTimeout)
		case <-tick.C:
		}
	}
	return nil
}

// touch creates the request, owned by the JVM's user: it obeys no other.
func (p *process) touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if os.Geteuid() != p.uid {
		err = f.Chown(p.uid, -1)
	}
	return errors.Join(err, f.Close())
}

// ask sends one command, of at most three arguments, and reads the answer after its
// code.
func (p *process) ask(ctx context.Context, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", p.socket())
	if errors.Is(err, unix.ECONNREFUSED) {
		return "", fmt.Errorf("JVM %d: %w (a socket file left behind by an earlier process? Delete %s)", p.pid, err, p.socket())
	}
	if err != nil {
		return "", fmt.Errorf("JVM %d: %w", p.pid, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := []byte("1\x00")
	for i := range 4 { // the command and three arguments
		if i < len(words) {
			request = append(request, words[i]...)
		}
		request = append(request, 0)
	}
	if _, err := conn.Write(request); err != nil {
		return "", fmt.Errorf("JVM %d: %w", p.pid, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswerBytes))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("JVM %d does not answer within %s: it may be stopped, or busy with collections, and do what it was asked later", p.pid, openTimeout)
	}
	if err != nil {
		return "", fmt.Errorf("JVM %d: %w", p.pid, err)
	}
	code, rest, _ := bytes.Cut(answer, []byte("\n"))
	if string(code) != "0" {
		return "", fmt.Errorf("JVM %d refuses: code %s %s", p.pid, code, bytes.TrimSpace(rest))
	}
	return string(rest), nil
}

// loadResult reads the answer to load: a code alone up to JDK 8, "return code: N"
// since; what is not a code is the JVM's own word.
func loadResult(answer string) error {
	text := strings.TrimSpace(answer)
	code, ok := strings.CutPrefix(text, "return code:")
	if !ok {
		code = text
	}
	switch strings.TrimSpace(code) {
	case "0", "":
		return nil
	case "100":
		return errors.New("the JVM cannot open the agent: is it a jar with an Agent-Class?")
	case "102":
		return errors.New("the agent threw an exception: the JVM's standard error has it; is its port taken, an option wrong, or host=127.0.0.1 left out (which some JVMs with -Djava.net.preferIPv4Stack=true need)?")
	}
	return fmt.Errorf("the JVM did not load the agent: %s", text)
}

// mayBeSignalled makes sure that SIGQUIT, which ends other programs, is one that the
// process waits for: it is a HotSpot JVM, and handles the signal.
func (p *process) mayBeSignalled() error {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil || !bytes.Contains(maps, []byte("/libjvm.so")) {
		return fmt.Errorf("process %d %w", p.pid, ErrNoJVM)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return fmt.Errorf("process %d %w", p.pid, ErrNoJVM)
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err == nil && bits&(1<<(uint(unix.SIGQUIT)-1)) != 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("JVM %d does not handle SIGQUIT, so it cannot be attached to: -Xrs (-XX:+ReduceSignalUsage) is set", p.pid)
}
