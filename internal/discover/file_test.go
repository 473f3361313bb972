package discover

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHalfWrittenFilesWait: what a file has while it is being written is no list of targets,
// though it looks like one, and others do not wait for it.
func TestHalfWrittenFilesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, text string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		r := fileReader{patterns: []string{filepath.Join(dir, "*.yaml")}, settle: 5 * time.Second}
		read := func() []string {
			var addresses []string
			for _, l := range r.read(t.Context()) {
				addresses = append(addresses, l["__address__"])
			}
			slices.Sort(addresses)
			return addresses
		}
		write("a.yaml", "- targets:\n  - a:1\n  - a:2\n")
		write("b.yaml", "- targets: [b:1]\n")
		began := time.Now()
		assert.Equal(t, []string{"a:1", "a:2", "b:1"}, read())
		assert.Equal(t, []string{"a:1", "a:2", "b:1"}, read())
		assert.Zero(t, time.Since(began), "nothing to wait for")

		write("a.yaml", "- targets:\n  - a:1\n")
		write("b.yaml", "- targets: [b:2]\n")
		write("new.yaml", "- targets:\n  - c:1\n")
		time.AfterFunc(time.Second, func() {
			write("a.yaml", "- targets:\n  - a:1\n  - a:3\n")
			write("new.yaml", "- targets:\n  - c:1\n  - c:2\n")
		})
		assert.Equal(t, []string{"a:1", "a:2", "b:2"}, read())
		assert.Equal(t, []string{"a:1", "a:3", "b:2", "c:1", "c:2"}, read())

		require.NoError(t, os.Remove(filepath.Join(dir, "a.yaml"))) // about to be written again
		time.AfterFunc(time.Second, func() { write("a.yaml", "- targets: [a:4]\n") })
		assert.Equal(t, []string{"a:1", "a:3", "b:2", "c:1", "c:2"}, read())
		require.NoError(t, os.Remove(filepath.Join(dir, "a.yaml")))
		assert.Equal(t, []string{"b:2", "c:1", "c:2"}, read())
	})
}
