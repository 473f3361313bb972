package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

// moments is how many answers in a row differ before a JVM repeats itself.
const moments = 64

// shapes are the recorded JVMs of which the fleet is made, in turn.
func shapes() []string {
	return []string{"jolokia-2.6.0-jdk17-g1.json", "jolokia-2.6.0-jdk25-zgc.json", "jolokia-1.7.2-jdk17-parallel.json"}
}

// jvms is a fleet of JVMs, told apart by the first element of the path.
type jvms struct {
	// shapes are the answers of each shape, moments of them.
	shapes [][moments]jmxtest.Answers
	// polled counts the polls of each JVM.
	polled []atomic.Int64
	// polls counts all of them.
	polls atomic.Int64
	// workers are each one's request processors.
	workers workers
	// answers are those that were given, by question: JVMs are many machines, and one
	// that plays them all must not be slow. What workers say differs each time.
	answers sync.Map
}

// question is a bulk that a JVM of a shape is asked at a moment.
type question struct {
	shape, moment int
	bulk          string
}

// newJVMs reads the recorded answers in the folder.
func newJVMs(folder string, n int, w workers) (*jvms, error) {
	j := &jvms{polled: make([]atomic.Int64, n), workers: w}
	for _, name := range shapes() {
		recorded, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		var shape [moments]jmxtest.Answers
		for k := range shape {
			if shape[k], err = jmxtest.Recorded(later(recorded, k)); err != nil {
				return nil, err
			}
		}
		j.shapes = append(j.shapes, shape)
	}
	return j, nil
}

// ServeHTTP answers as the agent of a JVM does.
func (j *jvms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := 0
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/", &n); err != nil || n < 0 || n >= len(j.polled) {
		http.NotFound(w, r)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/metrics") {
		j.serveExporter(w, n)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if bytes.Contains(body, []byte(`"HeapMemoryUsage"`)) {
		j.polled[n].Add(1)
		j.polls.Add(1)
	}
	answer, err := j.answer(question{n % len(j.shapes), int(j.polled[n].Load() % moments), string(body)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer) // whoever hung up needs no answer
}

func (j *jvms) answer(q question) (string, error) {
	if known, ok := j.answers.Load(q); ok {
		return known.(string), nil
	}
	var bulk []jmxtest.Item
	if err := json.Unmarshal([]byte(q.bulk), &bulk); err != nil {
		return "", err
	}
	answer := j.bulk(j.shapes[q.shape][q.moment], bulk)
	if j.workers.all == 0 {
		j.answers.Store(q, answer)
	}
	return answer, nil
}

// bulk answers by the recorded answers what is not about workers.
func (j *jvms) bulk(recorded jmxtest.Answers, bulk []jmxtest.Item) string {
	if j.workers.all == 0 {
		return recorded.Bulk(bulk)
	}
	now, parts := time.Now(), make([]string, len(bulk))
	for i, it := range bulk {
		parts[i] = j.workers.answer(it, now)
		if parts[i] == "" {
			one := recorded.Bulk([]jmxtest.Item{it})
			parts[i] = one[1 : len(one)-1]
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// later is a recorded answer some moments later: what moves in a JVM has moved.
func later(recorded []byte, moment int) []byte {
	moving := regexp.MustCompile(`"(used|Uptime|timestamp|ProcessCpuTime|ProcessCpuLoad|SystemCpuLoad|SystemLoadAverage|` +
		`CollectionCount|CollectionTime|duration|startTime|endTime|id|TotalStartedThreadCount|ThreadCount|` +
		`TotalLoadedClassCount|TotalCompilationTime|MemoryUsed)":([0-9.E-]+)`)
	return moving.ReplaceAllFunc(recorded, func(field []byte) []byte {
		i := bytes.LastIndexByte(field, ':') + 1
		out := append([]byte(nil), field[:i]...)
		if n, err := strconv.ParseInt(string(field[i:]), 10, 64); err == nil {
			return strconv.AppendInt(out, n+int64(moment)*(n/1000+1), 10)
		}
		share := float64(moment+1) / (moments + 1) // with all the digits that Java writes
		return strconv.AppendFloat(out, share, 'g', -1, 64)
	})
}
