package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// ErrNoPrograms says that bin/ lacks our own programs.
var ErrNoPrograms = errors.New("programs are not built: make build")

// queryTimeout is how long a page of the sidecar may take.
const queryTimeout = 2 * time.Minute

// Program returns the path of a program in bin/, or ErrNoPrograms.
func Program(name string) (string, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoPrograms, err)
	}
	return path, nil
}

// Sidecar is a running apm-sidecar.
type Sidecar struct {
	*Process
	// URL is where it serves its pages and the query API, without a slash at
	// the end.
	URL string
	// CaptureDir is where dumps and their reports go.
	CaptureDir string
}

// StartSidecar starts bin/apm-sidecar against one target. It polls each second
// and captures a dump when, after a collection, the old region is filled to
// oldAfterGCRatio (0..1) or more.
func (b *Bench) StartSidecar(ctx context.Context, target string, oldAfterGCRatio float64) (*Sidecar, error) {
	captureDir, err := b.Folder("captures")
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("capture:\n  directory: %q\n  old_after_gc_ratio: %g\n", captureDir, oldAfterGCRatio)
	sidecar, err := b.StartSidecarWith(ctx, target, text)
	if err != nil {
		return nil, err
	}
	sidecar.CaptureDir = captureDir
	return sidecar, nil
}

// StartSidecarWith starts bin/apm-sidecar against one target with the text of a
// configuration file. It polls each second.
func (b *Bench) StartSidecarWith(ctx context.Context, target, text string) (*Sidecar, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	program, err := Program("apm-sidecar")
	if err != nil {
		return nil, err
	}
	dataDir, err := b.Folder("sidecar-data")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.Dir, "apm-sidecar.yml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	process, err := b.Start(ctx, Command{
		Name: "apm-sidecar",
		Path: program,
		Args: []string{
			"run", "--target", target, "--interval", "1s", "--listen", "127.0.0.1:0",
			"--data-dir", dataDir, "--config", config,
		},
	})
	if err != nil {
		return nil, err
	}
	sidecar := &Sidecar{Process: process}
	address, err := sidecar.awaitLog(ctx, "listening", "addr")
	if err != nil {
		return nil, err
	}
	sidecar.URL = "http://" + address
	return sidecar, nil
}

// ErrNoAnalysis says that the sidecar could not take or analyse a heap dump.
var ErrNoAnalysis = errors.New("the sidecar failed")

// awaitLog waits for the first log line with a message and returns the value of
// one of its keys. It gives up with ErrNoAnalysis when a dump or its analysis
// failed.
func (s *Sidecar) awaitLog(ctx context.Context, message, key string) (string, error) {
	// Values with blanks are quoted as Go quotes strings. A line may be there in part.
	pattern := fmt.Sprintf(`(?:msg="?%s"? .*\b%s=("(?:[^"\\]|\\.)*"|\S+)|level=ERROR msg="no (?:heap dump|analysis)" (.*)).*\n`,
		regexp.QuoteMeta(message), regexp.QuoteMeta(key))
	match, err := s.AwaitOutput(ctx, regexp.MustCompile(pattern))
	switch {
	case err != nil:
		return "", err
	case match[1] == "":
		return "", fmt.Errorf("%w: %s", ErrNoAnalysis, match[2])
	}
	if value, err := strconv.Unquote(match[1]); err == nil {
		return value, nil
	}
	return match[1], nil
}

// AwaitDump waits until the sidecar says that the JVM wrote a dump, and returns
// the dump's path.
func (s *Sidecar) AwaitDump(ctx context.Context) (string, error) {
	return s.awaitLog(ctx, "heap dump written", "dump")
}

// AwaitReport waits for the analysis of the first dump and returns its report.
// It fails when the sidecar ends before, or with ctx.
func (s *Sidecar) AwaitReport(ctx context.Context) (*report.Report, error) {
	path, err := s.awaitLog(ctx, "heap dump analysed", "report")
	if err != nil {
		return nil, err
	}
	return ReadReport(path)
}

// ReadReport reads a report in its JSON form.
func ReadReport(path string) (*report.Report, error) {
	text, err := os.ReadFile(path) // a report that we asked for
	if err != nil {
		return nil, err
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// Query asks the store inside the sidecar for the present value of a PromQL
// expression. It returns the value of each series found, none if there is none.
func (s *Sidecar) Query(ctx context.Context, expression string) ([]float64, error) {
	content, err := s.Page(ctx, "/api/v1/query?"+url.Values{"query": {expression}}.Encode())
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expression, err)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"` // time, value as a string
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(content), &answer); err != nil {
		return nil, fmt.Errorf("query %q: %w", expression, err)
	}
	values := make([]float64, 0, len(answer.Data.Result))
	for _, series := range answer.Data.Result {
		text, _ := series.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", expression, err)
		}
		values = append(values, value)
	}
	return values, nil
}

// Evidence is what the sidecar noted of each target, by its name, oldest first.
func (s *Sidecar) Evidence(ctx context.Context) (map[string][]jvm.Evidence, error) {
	content, err := s.Page(ctx, "/api/evidence")
	if err != nil {
		return nil, err
	}
	var all map[string][]jvm.Evidence
	return all, json.Unmarshal([]byte(content), &all)
}

// Page is the content of a page of the sidecar.
func (s *Sidecar) Page(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return string(content), err
}
