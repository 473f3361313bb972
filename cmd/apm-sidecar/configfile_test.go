package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAFileThatIsBeingWrittenIsNoConfiguration: a new content counts when it is there at two
// looks, however it came there.
func TestAFileThatIsBeingWrittenIsNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "c.yaml")
	write := func(content string) { require.NoError(t, os.WriteFile(name, []byte(content), 0o600)) }
	write("old")
	f := configFile{name: name}
	f.take()
	looks := func(want ...bool) {
		t.Helper()
		for i, w := range want {
			assert.Equal(t, w, f.changed(), "look %d", i)
		}
	}
	looks(false, false)
	write("ne")
	looks(false)
	write("new")
	looks(false, true, false)
	write("newer")
	looks(false)
	write("new")
	looks(false, false)
	write("newest")
	f.take()
	looks(false, false)
	require.NoError(t, os.Remove(name))
	looks(false, true, false)
	write("newest")
	looks(false, true, false)
	require.NoError(t, os.Remove(name))
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	looks(false, true, false) // and it does not wait for somebody to write
	f = configFile{}
	f.take()
	looks(false, false)
}
