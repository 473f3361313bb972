package agent_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// timerDump is a dump in which 2,000 closed statements hang on cancelled timer
// tasks.
func timerDump() []byte {
	j := hproftest.NewJDK(17, 8)
	statement := j.Class("org.acme.Statement", j.Object, hproftest.Ref("sql"), hproftest.Bool("isClosed"))
	task := j.Class("org.acme.CancelTask", j.TimerTask, hproftest.Ref("this$0"))
	tasks := []*hproftest.Object{j.Task(task, hproftest.Scheduled, 2_463_000)}
	for i := range 2000 {
		s := j.New(statement).Set("sql", j.Bytes(make([]byte, 600))).Set("isClosed", true)
		j.Finalizer(s, hproftest.Registered)
		tasks = append(tasks, j.Task(task, hproftest.Cancelled, 2_463_000+int64(i)).Set("this$0", s))
	}
	j.Timer("Timer-0", 4096, tasks...)
	return j.Finish().Encode(hproftest.Shape{})
}

func TestAnalyze(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	dump, reportFile := filepath.Join(directory, "a.hprof"), filepath.Join(directory, "a.report.json")
	content := timerDump()
	require.NoError(t, os.WriteFile(dump, content, 0o600))
	var verdict bytes.Buffer
	require.NoError(t, agent.Analyze(t.Context(), dump, reportFile, "v1", 0, &verdict))
	assert.Contains(t, verdict.String(), "timer-held")
	assert.Contains(t, verdict.String(), "Statement")
	for _, f := range findingsOf(t, reportFile) {
		assert.Equal(t, "timer-held", f.Kind)
		assert.Equal(t, "org.acme.Statement", f.Culprit.Class)
		assert.Positive(t, f.Bytes)
	}
	assert.ElementsMatch(t, []string{"a.hprof", "a.report.html", "a.report.json"}, filesIn(t, directory), "no temporary file is left")
	page, err := os.ReadFile(filepath.Join(directory, "a.report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "org.acme.Statement")

	// a dump that ends too early still gives a report
	require.NoError(t, os.WriteFile(dump, content[:len(content)*3/4], 0o600))
	require.ErrorIs(t, agent.Analyze(t.Context(), dump, reportFile, "v1", 0, &verdict), agent.ErrPartial)
	assert.Len(t, filesIn(t, directory), 3)
}

func TestAnalyzeLeavesNothingBehindOnAnError(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	dump := filepath.Join(directory, "a.hprof")
	require.NoError(t, os.WriteFile(dump, []byte("no dump"), 0o600))
	var verdict bytes.Buffer
	require.Error(t, agent.Analyze(t.Context(), dump, filepath.Join(directory, "r.json"), "v1", 0, &verdict))

	require.NoError(t, os.WriteFile(dump, timerDump(), 0o600))
	// a directory stands where the report should go
	require.NoError(t, os.Mkdir(filepath.Join(directory, "taken"), 0o700))
	require.Error(t, agent.Analyze(t.Context(), dump, filepath.Join(directory, "taken"), "v1", 0, &verdict))
	assert.Empty(t, verdict.String())
	assert.Equal(t, []string{"a.hprof", "taken"}, filesIn(t, directory))
}

// reported is a finding as the report's contract names it.
type reported struct {
	Kind    string
	Culprit struct{ Class string }
	Bytes   int64
}

func findingsOf(t *testing.T, reportFile string) []reported {
	t.Helper()
	content, err := os.ReadFile(reportFile)
	require.NoError(t, err)
	var r struct{ Findings []reported }
	require.NoError(t, json.Unmarshal(content, &r))
	require.NotEmpty(t, r.Findings)
	return r.Findings
}

func filesIn(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
