package agent_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestTargetsOfLikeNamesHaveFilesOfTheirOwn: one of them would throw away the other's dumps.
func TestTargetsOfLikeNamesHaveFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := newCaptureBench(t, goodReport, nil)
	for _, target := range []jvm.Target{{Job: "a-b", Instance: "c"}, {Job: "a", Instance: "b-c"}, {Job: "a", Instance: "b\u00e4c"}, {Job: "a", Instance: "b\u00f6c"}} {
		require.NoError(t, b.Take(t.Context(), target, writer(b.directory), series.TargetLabels(target), &b.sink))
		b.Wait()
	}
	files := b.files(t, ".hprof")
	assert.Len(t, files, 4)
	for _, name := range files {
		assert.Regexp(t, `^[A-Za-z0-9._-]+$`, name)
	}
}

// TestTheFolderOfCapturesIsReadOnceForAllTargets: each of a thousand targets must not go through
// the reports of all.
func TestTheFolderOfCapturesIsReadOnceForAllTargets(t *testing.T) {
	b := newCaptureBench(t, goodReport, nil)
	const files, targets = 1000, 100
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(b.directory, "shop-h_"+strconv.Itoa(i)+"-20200101T000000Z.report.json"), nil, 0o600))
	}
	var watched []agent.Watched
	for i := range targets {
		watched = append(watched, agent.Watched{Target: jvm.Target{Job: "shop", Instance: "h:" + strconv.Itoa(i)}, Client: &fakeClient{}})
	}
	connect := func(t jvm.Target) agent.Watched { return agent.Watched{Target: t, Client: &fakeClient{}} }
	begins := map[string]func(){
		"at the start": func() {
			agent.New(agent.Options{Capture: b.Capture, Sink: &b.sink, Logger: b.logger, Watched: watched})
		},
		"as they are found": func() {
			var found []jvm.Target
			for _, w := range watched {
				found = append(found, w.Target)
			}
			agent.New(agent.Options{Capture: b.Capture, Sink: &b.sink, Logger: b.logger, Connect: connect}).Follow(found)
		},
	}
	for name, begin := range begins {
		assert.Less(t, testing.AllocsPerRun(1, begin), float64(files*targets), name)
	}
}
