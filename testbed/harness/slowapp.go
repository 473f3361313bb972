package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SlowWebApp is the running web application whose requests take as long as they are
// told to.
type SlowWebApp struct {
	*Process
	// JolokiaURL is the agent's URL, ending in a slash.
	JolokiaURL string
	// URL is the application's, without a slash at the end.
	URL string
	// TruthLog is its log of what each request did.
	TruthLog string
}

// Truth is what a request really did, by its own clock.
type Truth struct {
	Path    string             `json:"path"`
	StartMs int64              `json:"start_ms"`
	TotalMs float64            `json:"total_ms"`
	Classes map[string]float64 `json:"classes"`
	Waits   []TruthWait        `json:"waits"`
}

// TruthWait is a wait of a request for somebody at the other end of a connection.
type TruthWait struct {
	// Peer is address:port, SQL the statement with its literals, empty without one.
	Peer string  `json:"peer"`
	SQL  string  `json:"sql"`
	Ms   float64 `json:"ms"`
	// Parked says that the request's thread waited for another one, which had the
	// connection.
	Parked bool `json:"parked"`
}

// Tomcats are the versions that the web application runs on.
func Tomcats() []string { return []string{"tomcat8", "tomcat9", "tomcat10", "tomcat11"} }

// StartSlowWebApp starts it on one of Tomcats with the Jolokia agent, on free ports
// of 127.0.0.1; jdbcURL is its database's.
func (b *Bench) StartSlowWebApp(ctx context.Context, java, tomcat, jdbcURL string, jvmOptions ...string) (*SlowWebApp, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	base, err := b.Folder("slow-webapp")
	if err != nil {
		return nil, err
	}
	jar, err := b.slowJar(ctx, java, tomcat, base)
	if err != nil {
		return nil, err
	}
	lib, err := built("slow-webapp", "target", "lib")
	if err != nil {
		return nil, err
	}
	server, err := built("slow-webapp", "target", tomcat)
	if err != nil {
		return nil, err
	}
	agent, err := built("leaky-webapp", "target", "agent", "jolokia-agent.jar")
	if err != nil {
		return nil, err
	}
	process, err := b.Start(ctx, Command{
		Name: "slow-webapp",
		Path: java,
		Args: append(append([]string{
			"-javaagent:" + agent + "=host=127.0.0.1,port=0",
			"-Dslow.jdbc.url=" + jdbcURL,
			"-Dslow.base=" + base,
			"-Xmx256m",
		}, jvmOptions...), "-cp", strings.Join([]string{jar, filepath.Join(lib, "*"), filepath.Join(server, "*")}, ":"), "testbed.slow.SlowWebApp"),
	})
	if err != nil {
		return nil, err
	}
	jolokia, err := process.awaitJolokia(ctx)
	if err != nil {
		return nil, err
	}
	url, err := process.awaitReady(ctx)
	if err != nil {
		return nil, err
	}
	return &SlowWebApp{
		Process:    process,
		JolokiaURL: jolokia,
		URL:        url,
		TruthLog:   filepath.Join(base, "truth.log"),
	}, nil
}

// slowJar is the application's jar for a Tomcat: from 10 on servlets are of Jakarta EE.
func (b *Bench) slowJar(ctx context.Context, java, tomcat, folder string) (string, error) {
	jar, err := built("slow-webapp", "target", "slow-webapp.jar")
	if err != nil || tomcat == "tomcat8" || tomcat == "tomcat9" {
		return jar, err
	}
	tool, err := built("slow-webapp", "target", "migration", "jakartaee-migration.jar")
	if err != nil {
		return "", err
	}
	migrated := filepath.Join(folder, "slow-webapp-jakarta.jar")
	migration, err := b.Start(ctx, Command{Name: "migration", Path: java, Args: []string{"-jar", tool, jar, migrated}})
	if err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("migration: %w", context.Cause(ctx))
	case <-migration.Ended():
	}
	if migration.err != nil {
		return "", fmt.Errorf("migration: %w\n%s", migration.err, migration.Tail())
	}
	return migrated, nil
}

// Truths reads the log so far, by path.
func (a *SlowWebApp) Truths() (map[string]Truth, error) {
	f, err := os.Open(a.TruthLog)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	truths := map[string]Truth{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var t Truth
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return nil, fmt.Errorf("%s: %w", a.TruthLog, err)
		}
		truths[t.Path] = t
	}
	return truths, lines.Err()
}

// Get reads a JSON page of the sidecar into a value.
func (s *Sidecar) Get(ctx context.Context, path string, into any) error {
	body, err := s.page(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// Metric is the sum of a metric of /metrics over its labels.
func (s *Sidecar) Metric(ctx context.Context, name string) (sum float64, err error) {
	body, err := s.page(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		labelled, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.HasPrefix(labelled, name+"{") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += v
	}
	return sum, nil
}

// page reads a page of the sidecar.
func (s *Sidecar) page(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}
