package host_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// write makes a file of a faked /proc.
func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, "proc", name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func TestThreadsAreMatchedByTheirTimeOnAProcessor(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "stat", "cpu 1 2 3\nbtime 1700000000\n")
	write(t, root, "42/stat", "42 (java) x) S 1 42 42 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 30 0 500 0 0\n")
	write(t, root, "42/task/101/schedstat", "1234567 555 10\n")
	write(t, root, "42/task/102/schedstat", "7654321 666 10\n")
	write(t, root, "42/task/103/schedstat", "garbage\n")

	assert.Nil(t, host.Find(root, 43, 1700000005000), "no such process")
	assert.Nil(t, host.Find(root, 42, 1700000105000), "another JVM of that number")
	assert.Nil(t, host.Find(root, 42, 1700000001000), "a process that began after the JVM")
	assert.NotNil(t, host.Find(root, 42, 1700000045000), "on a starved machine")
	p := host.Find(root, 42, 1700000005400)
	require.NotNil(t, p)
	p.Match(map[int64]int64{7: 1234567, 8: 99, 9: 0})
	ns, ok := p.RunQueueNs(7, 1234567, time.Now())
	assert.True(t, ok)
	assert.Equal(t, int64(555), ns)
	_, ok = p.RunQueueNs(8, 99, time.Now())
	assert.False(t, ok)

	// Running threads are a little ahead of what the JVM said.
	write(t, root, "42/task/104/schedstat", "905000000 777 10\n")
	write(t, root, "42/task/105/schedstat", "500000001 1 10\n")
	write(t, root, "42/task/106/schedstat", "500000002 1 10\n")
	write(t, root, "42/task/107/schedstat", "700000001 1 10\n")
	p.Match(map[int64]int64{10: 900000000, 11: 500000000, 12: 700000000})
	match := time.Now().Add(-time.Second)
	_, ok = p.RunQueueNs(10, 900000000, match)
	assert.False(t, ok, "it is near, and may be another one")
	write(t, root, "42/task/104/schedstat", "925000000 777 10\n")
	ns, ok = p.RunQueueNs(10, 924000000, time.Now())
	assert.True(t, ok, "who read it later read more, over and over")
	assert.Equal(t, int64(777), ns)
	_, ok = p.RunQueueNs(10, 924000000, match)
	assert.False(t, ok, "it has run since, and who knows what it had waited for that")
	_, ok = p.RunQueueNs(10, 925000000, match)
	assert.True(t, ok, "it has not run since")
	write(t, root, "42/task/107/schedstat", "800000000 1 10\n")
	_, ok = p.RunQueueNs(12, 700000000, time.Now())
	assert.False(t, ok, "a thread that sleeps is not the one that was ahead of it")
	_, ok = p.RunQueueNs(12, 800000000, match)
	assert.False(t, ok, "it is no longer held to be that one")
	_, ok = p.RunQueueNs(11, 500000000, time.Now())
	assert.False(t, ok, "two are as near")
	_, ok = p.RunQueueNs(10, 999000000, time.Now())
	assert.False(t, ok, "it was another thread")

	require.NoError(t, os.RemoveAll(filepath.Join(root, "proc", "42", "task", "101")))
	_, ok = p.RunQueueNs(7, 1234567, time.Now())
	assert.False(t, ok)
}
