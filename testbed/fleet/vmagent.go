package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// startVMAgent starts a vmagent that scrapes an exporter for each JVM.
func startVMAgent(ctx context.Context, bench *harness.Bench, program, stageURL string, s settings) (subject, error) {
	if s.embedded {
		return subject{}, errors.New("vmagent has no store")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "global: {scrape_interval: %v}\nscrape_configs:\n- job_name: jvm\n  static_configs:\n", s.interval)
	for i := range s.targets {
		fmt.Fprintf(&text, "  - {targets: [%q], labels: {__metrics_path__: /%d/metrics, instance: \"jvm-%d\"}}\n", strings.TrimPrefix(stageURL, "http://"), i, i)
	}
	file := filepath.Join(bench.Dir, "vmagent.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return subject{}, err
	}
	process, err := bench.Start(ctx, harness.Command{
		Name: "vmagent", Path: program,
		Args: []string{
			"-promscrape.config=" + file, "-remoteWrite.url=" + stageURL + "/api/v1/write",
			"-remoteWrite.tmpDataPath=" + filepath.Join(bench.Dir, "queue"), "-httpListenAddr=127.0.0.1:0",
		},
	})
	return subject{Process: process}, err
}

// exported is how many samples an exporter has: as many as a poll of the sidecar gives.
const exported = 97

// serveExporter answers a scrape of a JVM: two of three values move.
func (j *jvms) serveExporter(w http.ResponseWriter, n int) {
	j.polls.Add(1)
	moment := j.polled[n].Add(1)
	var text strings.Builder
	for i := range exported {
		value := 1_000_003 * int64(i+1)
		if i%3 > 0 {
			value += moment * int64(1001*i)
		}
		fmt.Fprintf(&text, "jvm_memory_pool_bytes_%d{area=\"heap\",kind=\"old\",pool=\"G1 Old Gen %d\"} %d\n", i/8, i%8, value)
	}
	_, _ = w.Write([]byte(text.String())) // whoever hung up needs no answer
}
