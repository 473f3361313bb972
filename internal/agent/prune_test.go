package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// A dump of a clock that was ahead would be the newest for years, and each new one the oldest.
func TestNoDumpIsKeptForBeingOfTheFuture(t *testing.T) {
	t.Parallel()
	const old, now, ahead, further = "20220101T000000Z", "20260101T000000Z", "20980101T000000Z", "20990101T000000Z"
	f := func(name string, keep int, analysed string, want ...string) {
		t.Helper()
		c := &Capture{opts: CaptureOptions{Directory: t.TempDir(), KeepDumps: keep}}
		target := jvm.Target{Job: "shop", Instance: "h:1"}
		path := func(at string) string { return filepath.Join(c.opts.Directory, filePrefix(target)+"-"+at+".hprof") }
		for _, at := range []string{old, now, ahead, further} {
			require.NoError(t, os.WriteFile(path(at), nil, 0o600))
		}
		at, err := time.Parse(nameTime, now)
		require.NoError(t, err)
		require.NoError(t, c.prune(target, path(analysed), at))
		var left []string
		for _, at := range []string{old, now, ahead, further} {
			if _, err := os.Stat(path(at)); err == nil {
				left = append(left, at)
			}
		}
		assert.Equal(t, want, left, name)
	}
	f("the new one", 1, now, now)
	f("and the one before", 2, now, old, now)
	f("and the one that is furthest ahead", 3, now, old, now, further)
	f("the clock was set back during the analysis", 1, ahead, ahead)
	f("and what was before", 2, ahead, now, ahead)
}
