package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

// maxLives bounds the moments of lives that are remembered.
const maxLives = 1000

// shapes are the recorded JVMs of which the fleet is made, in turn.
func shapes() []string {
	return []string{"jolokia-2.6.0-jdk17-g1.json", "jolokia-2.6.0-jdk25-zgc.json", "jolokia-1.7.2-jdk17-parallel.json"}
}

// jvms is a fleet of JVMs, told apart by the first element of the path.
type jvms struct {
	// shapes are the recorded answers, interval is the time between two polls.
	shapes   [][]byte
	interval time.Duration
	// polled counts the polls of each JVM.
	polled []atomic.Int64
	// polls counts all of them.
	polls atomic.Int64
	// silent is true once they answer nobody any more.
	silent atomic.Bool
	// workers are each one's request processors.
	workers workers
	// mu guards known: JVMs are many machines, and one that plays them all must not be slow.
	mu    sync.Mutex
	known map[moment]*said
}

// moment is where the JVMs of a shape and a character are after so many polls.
type moment struct {
	shape, character int
	polls            int64
}

// said is what such a JVM says: by MBean, and by the bulk that it is asked, where nothing
// is about workers.
type said struct {
	answers jmxtest.Answers
	bulks   sync.Map
}

// newJVMs reads the recorded answers in the folder. They are n, polled at an interval.
func newJVMs(folder string, n int, interval time.Duration, w workers) (*jvms, error) {
	j := &jvms{polled: make([]atomic.Int64, n), interval: interval, workers: w, known: map[moment]*said{}}
	for _, name := range shapes() {
		recorded, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		j.shapes = append(j.shapes, recorded)
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
	if j.silent.Load() {
		<-r.Context().Done()
		return
	}
	if bytes.Contains(body, []byte(`"HeapMemoryUsage"`)) {
		j.polled[n].Add(1)
		j.polls.Add(1)
	}
	answer, err := j.answer(j.momentOf(n), string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer) // whoever hung up needs no answer
}

// momentOf is where a JVM is.
func (j *jvms) momentOf(n int) moment {
	return moment{n % len(j.shapes), n / len(j.shapes) % characters, j.polled[n].Load()}
}

// at is what a JVM says at a moment.
func (j *jvms) at(m moment) (*said, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.known[m]; s != nil {
		return s, nil
	}
	answers, err := life{m.character, m.polls, j.interval}.answers(j.shapes[m.shape])
	if err != nil {
		return nil, err
	}
	if len(j.known) >= maxLives {
		clear(j.known)
	}
	s := &said{answers: answers}
	j.known[m] = s
	return s, nil
}

func (j *jvms) answer(m moment, asked string) (string, error) {
	s, err := j.at(m)
	if err != nil {
		return "", err
	}
	if known, ok := s.bulks.Load(asked); ok {
		return known.(string), nil
	}
	var bulk []jmxtest.Item
	if err := json.Unmarshal([]byte(asked), &bulk); err != nil {
		return "", err
	}
	answer := j.bulk(s.answers, bulk)
	if j.workers.all == 0 {
		s.bulks.Store(asked, answer)
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
