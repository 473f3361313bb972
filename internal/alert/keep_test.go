package alert

import (
	"bytes"
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
	e.book.Observe(ruleOf("Down"), []Alert{alertOf("Down", "a", "critical", Active, 0)}, false, time.Now())
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
