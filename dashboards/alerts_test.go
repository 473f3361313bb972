package dashboards_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert-tool/unittest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAlerts runs the unit tests of the rules as vmalert-tool does.
func TestAlerts(t *testing.T) {
	rules, err := filepath.Glob("alerts/*.yml")
	require.NoError(t, err)
	tests, err := filepath.Glob("alerts/tests/*.yml")
	require.NoError(t, err)
	require.Len(t, tests, len(rules), "each file of rules has one of tests")
	var failed bool
	said := captureStdout(t, func() { failed = unittest.UnitTest(tests, true, nil, "", "", "ERROR") })
	assert.False(t, failed, said)
}

// captureStdout returns what f prints: the tool reports in no other way.
func captureStdout(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "stdout")
	require.NoError(t, err)
	terminal := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = terminal }()
	f()
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	said, err := io.ReadAll(file)
	require.NoError(t, err)
	return string(said)
}
