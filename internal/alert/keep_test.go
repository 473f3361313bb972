package alert

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A disk that takes nothing is not told of each second.
func TestThatAlertsAreNotKeptIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "alerts")
	e, err := New(Options{Dir: dir, Query: http.NotFoundHandler(), Sink: fullSink{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer e.closeEvaluators()
	require.NoError(t, os.Remove(dir))
	e.book.Observe(ruleOf("Down"), []Alert{alertOf("Down", "a", "critical", Active, 0)}, nil, time.Now())
	for range 3 {
		e.keep()
	}
	require.NoError(t, os.Mkdir(dir, 0o700))
	e.keep()
	e.keep()
	assert.Equal(t, 1, strings.Count(log.String(), "are not kept for the next start"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "are kept for the next start again"), log.String())
	kept, err := loadState(dir)
	require.NoError(t, err)
	assert.Len(t, kept.Alerts, 1)
}

// What receivers take for active is known after a restart, and nothing that one of another
// kind, which had the same name, was told.
func TestWhatReceiversKnowOutlivesTheEngine(t *testing.T) {
	b := newBench(t, testRules)
	takes := peer(func(*http.Request, string) (int, error) { return http.StatusOK, nil })
	b.opts.Receivers = append(b.opts.Receivers, Receiver{Kind: Alertmanager, Name: "am", URL: "http://am", Client: takes})
	b.start()
	b.write("a:1", 1, 0.95)
	for range 4 {
		b.pass()
	}
	known := func() (out []string) {
		for _, s := range b.senders {
			ids := map[string]bool{}
			s.awaits(ids)
			out = append(out, fmt.Sprintf("%s %d", s.receiver.Name, len(ids)))
		}
		return out
	}
	require.Equal(t, []string{"hook 1", "am 1"}, known())
	b.start()
	require.Equal(t, []string{"hook 1", "am 1"}, known())
	b.opts.Receivers[0].Kind, b.opts.Receivers[1].Kind = Alertmanager, Webhook
	b.start()
	require.Equal(t, []string{"hook 0", "am 0"}, known())
}

// A group that an earlier build wrote in another way is the same one, and not told again.
func TestWhatGroupsWereToldOutlivesTheirWriting(t *testing.T) {
	b := newBench(t, testRules)
	labels := map[string]string{"instance": "a:1", "job": "shop"}
	told := map[string]map[string]*Told{"hook": {"{instance=a:1,job=shop}": {Labels: labels, At: time.Now()}, "{null}": nil}}
	require.NoError(t, state{Told: told}.save(b.opts.Dir))
	b.Engine = nil // it would save its own
	b.start()
	assert.Contains(t, b.senders[0].told, groupKey(labels))
	assert.Len(t, b.senders[0].told, 1)
}

// A process that was killed as it kept its alerts leaves nothing that the next one does not use.
func TestKeepingAlertsLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, stateFile+".part"), bytes.Repeat([]byte("cut"), 1000), 0o600))
	require.NoError(t, state{Alerts: []Alert{{ID: "a"}}}.save(dir))
	kept, err := loadState(dir)
	require.NoError(t, err)
	assert.Len(t, kept.Alerts, 1)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1)
}

// A link in the place of what is being written is not followed: the sidecar may run as root.
func TestKeepingAlertsWritesThroughNoLink(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(other, []byte("not ours"), 0o600))
	require.NoError(t, os.Symlink(other, filepath.Join(dir, stateFile+".part")))
	require.Error(t, state{}.save(dir))
	left, err := os.ReadFile(other)
	require.NoError(t, err)
	assert.Equal(t, "not ours", string(left))
}

// What had not fired when the process ended begins anew with the next one.
func TestOnlyWhatFiresIsKeptOverARestart(t *testing.T) {
	ev := &evaluator{keepUntil: at(60)}
	f := func(state State, second int, want bool) {
		assert.Equal(t, want, ev.keeps(&Alert{State: state}, at(second)), "%s at second %d", state, second)
	}
	f(Pending, 0, false)
	f(Active, 59, true)
	f(Acknowledged, 59, true)
	f(Active, 60, false)
}
