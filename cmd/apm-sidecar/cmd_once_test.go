package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOncePollsAllAtTheSameTime: no target answers before all were asked, and the
// samples come in the order of the command line.
func TestOncePollsAllAtTheSameTime(t *testing.T) {
	t.Parallel()
	recorded := recordedAgent(t)
	const targets = 3
	var all sync.WaitGroup
	all.Add(targets)
	args := []string{"once"}
	var want []string
	for range targets {
		agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			all.Done()
			all.Wait()
			http.Redirect(w, r, recorded.URL, http.StatusTemporaryRedirect)
		}))
		t.Cleanup(agent.Close)
		args = append(args, "--target", agent.URL)
		want = append(want, strings.TrimPrefix(agent.URL, "http://"))
	}
	var stderr bytes.Buffer
	env := environment{stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	assert.Equal(t, exitError, run(t.Context(), env, args))
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if assert.Len(t, lines, targets) {
		for i, line := range lines {
			assert.Contains(t, line, want[i])
			assert.Contains(t, line, "redirect")
		}
	}
}
