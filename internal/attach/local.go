package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// JVM is one of this host.
type JVM struct {
	PID int
	// Main is the main class or jar as on the command line.
	Main string
	// Properties are the system properties of the command line (-Dname=value), those left out whose
	// name says that the value is secret; nil without any.
	Properties map[string]string
	// JolokiaURL is the agent's; empty without one, or where it is not known.
	JolokiaURL string
	// Silent is true of a JVM that was asked where its agent listens and did not answer;
	// JolokiaURL is then what it said last, or what it was told at the start.
	Silent bool
}

// identity is one process: ids are used again, but not with the same start.
type identity struct {
	pid int
	// start is when it began, in ticks since the boot, as /proc/PID/stat has it.
	start string
}

// Finder finds the JVMs of this host again and again, and remembers where the agent of
// each listens: one that is stopped, or collects garbage without end, says nothing,
// and is still there. The zero value is ready; it is not for use by two at once.
type Finder struct {
	// Others is how many JVMs the last Find passed over, as they are of other users.
	Others int
	urls   map[identity]string
}

const (
	// sayTimeout is how long a JVM may take to say where its agent listens.
	sayTimeout = 3 * time.Second
	// askedAtOnce bounds how many are asked at the same time.
	askedAtOnce = 32
)

// Find lists the JVMs that this user may look at, by the performance data that most
// keep in their own /tmp, or by the program's name: many run with
// -XX:+PerfDisableSharedMem, and keep none. One that does not answer delays no other.
func (f *Finder) Find(ctx context.Context) ([]JVM, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("processes of this host: %w", err)
	}
	f.Others = 0
	var found []JVM
	var who []identity
	var words [][]string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := inspect(pid)
		if errors.Is(err, errOtherUser) && isNamedJava(pid) {
			f.Others++
		}
		if err != nil || !p.isJVM() {
			continue // another user's, gone, or something else
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		line := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
		found = append(found, JVM{PID: pid, Main: mainOf(line), Properties: propertiesOf(line)})
		who = append(who, identity{pid: pid, start: startOf(pid)})
		words = append(words, line)
	}
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i := range found {
		group.Go(func() error {
			found[i].JolokiaURL, found[i].Silent = f.urlOf(ctx, who[i], words[i])
			return nil
		})
	}
	_ = group.Wait() // none fails
	f.urls = make(map[identity]string, len(found))
	for i, j := range found {
		if j.JolokiaURL != "" {
			f.urls[who[i]] = j.JolokiaURL
		}
	}
	return found, nil
}

// startOf is when the process began; empty when it is gone.
func startOf(pid int) string {
	const afterName = 19 // proc(5): starttime is field 22, and the name in parentheses field 2
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= afterName {
		return ""
	}
	return fields[afterName]
}

// isNamedJava tells whether a process that nobody lets us look at has the name of the program.
func isNamedJava(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && string(name) == "java\n"
}

// isJVM tells whether the process is one, or is named like one. The performance data of a JVM that
// was killed may lie there when another process has its id.
func (p *process) isJVM() bool {
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); err == nil && filepath.Base(exe) == "java" {
		return true
	}
	found, err := filepath.Glob(fmt.Sprintf("%s/tmp/hsperfdata_*/%d", p.root, p.inner))
	if err != nil || len(found) == 0 {
		return false
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	return err == nil && bytes.Contains(maps, []byte("/libjvm.so"))
}

// urlOf is where the JVM's agent listens: as the agent itself says, else as it said
// when it was last asked, else as it was told at the start. It is silent if it has a
// socket to answer on and does not.
func (f *Finder) urlOf(ctx context.Context, who identity, words []string) (url string, silent bool) {
	ctx, cancel := context.WithTimeout(ctx, sayTimeout)
	defer cancel()
	properties, err := Properties(ctx, who.pid)
	switch {
	case err == nil && properties["jolokia.agent"] != "":
		return properties["jolokia.agent"], false
	case err != nil && f.urls[who] != "":
		return f.urls[who], true
	}
	for _, w := range words {
		agent, ok := strings.CutPrefix(w, "-javaagent:")
		if jar, options, _ := strings.Cut(agent, "="); ok && strings.Contains(strings.ToLower(filepath.Base(jar)), "jolokia") {
			url = urlFromOptions(options)
			if u, err := neturl.Parse(url); err == nil && heldByAnother(who.pid, u.Port()) {
				url = ""
			}
			break
		}
	}
	return url, err != nil && !errors.Is(err, errNoSocket)
}

// urlFromOptions reads the agent's options, "port=8778,host=..."; its defaults are
// those of default-jolokia-agent.properties. A free port (0) is not known.
func urlFromOptions(options string) string {
	port, host, path, protocol := "8778", "127.0.0.1", "/jolokia", "http"
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "port":
			port = value
		case "host":
			host = value
		case "agentContext":
			path = value
		case "protocol":
			protocol = value
		}
	}
	if host == "0.0.0.0" || host == "*" {
		host = "127.0.0.1"
	}
	if port == "0" || port == "" {
		return ""
	}
	return protocol + "://" + host + ":" + port + strings.TrimRight(path, "/") + "/"
}

// mainOf is the main class, or the jar after -jar. The options whose value is a word of its own are
// those of IsWhiteSpaceOption in the JDK's java.c.
func mainOf(words []string) string {
	withValue := []string{
		"-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--limit-modules", "--patch-module", "--source",
		"--add-modules", "--add-opens", "--add-exports", "--add-reads", "--enable-native-access",
	}
	for i := 1; i < len(words); i++ {
		switch {
		case words[i] == "-jar" || words[i] == "-m" || words[i] == "--module":
			if i+1 < len(words) {
				return words[i+1]
			}
		case slices.Contains(withValue, words[i]):
			i++
		case !strings.HasPrefix(words[i], "-") && !strings.HasPrefix(words[i], "@"):
			return words[i]
		}
	}
	return ""
}

// secretNames are parts of the names of properties whose values nobody is to see.
var secretNames = []string{"pass", "pwd", "secret", "token", "credential", "key"}

// propertiesOf are the system properties on the command line, also those behind the main class, as
// WildFly has its own.
func propertiesOf(words []string) map[string]string {
	var found map[string]string
	for _, w := range words {
		name, value, ok := strings.Cut(strings.TrimPrefix(w, "-D"), "=")
		secret := func(part string) bool { return strings.Contains(strings.ToLower(name), part) }
		if !ok || !strings.HasPrefix(w, "-D") || slices.ContainsFunc(secretNames, secret) {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	return found
}

// parseProperties reads what java.util.Properties.store writes, as far as plain
// values go.
func parseProperties(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if ok && !strings.HasPrefix(line, "#") {
			out[key] = strings.NewReplacer(`\:`, ":", `\=`, "=", `\\`, `\`).Replace(value)
		}
	}
	return out
}
