package attach

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// JVM is one of this host.
type JVM struct {
	PID int
	// Main is the main class or jar as on the command line.
	Main string
	// JolokiaURL is the agent's; empty without one, or where it is not known.
	JolokiaURL string
}

// Local finds the JVMs of this host that this user may look at, by the performance
// data that most keep in their own /tmp, or by the program's name: many run with
// -XX:+PerfDisableSharedMem, and keep none.
func Local(ctx context.Context) ([]JVM, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("processes of this host: %w", err)
	}
	var out []JVM
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := inspect(pid)
		if err != nil {
			continue // another user's, or gone
		}
		if !p.isJVM() {
			continue
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		words := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
		out = append(out, JVM{PID: pid, Main: mainOf(words), JolokiaURL: urlOf(ctx, pid, words)})
	}
	return out, nil
}

// isJVM tells whether the process is one, or is named like one.
func (p *process) isJVM() bool {
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); err == nil && filepath.Base(exe) == "java" {
		return true
	}
	found, err := filepath.Glob(fmt.Sprintf("%s/tmp/hsperfdata_*/%d", p.root, p.inner))
	return err == nil && len(found) > 0
}

// urlOf is where the JVM's agent listens: as the agent itself says where the JVM
// answers, else as it was told at the start.
func urlOf(ctx context.Context, pid int, words []string) string {
	if properties, err := Properties(ctx, pid); err == nil && properties["jolokia.agent"] != "" {
		return properties["jolokia.agent"]
	}
	for _, w := range words {
		agent, ok := strings.CutPrefix(w, "-javaagent:")
		if jar, options, _ := strings.Cut(agent, "="); ok && strings.Contains(strings.ToLower(filepath.Base(jar)), "jolokia") {
			return urlFromOptions(options)
		}
	}
	return ""
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

// mainOf is the main class, or the jar after -jar.
func mainOf(words []string) string {
	withValue := []string{"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens", "--add-exports", "--add-reads"}
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
