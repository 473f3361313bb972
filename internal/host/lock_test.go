package host

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLockWaitsForADyingProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "lock")
		lock := func() (*os.File, bool) {
			f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
			require.NoError(t, err)
			locked, err := Lock(f)
			require.NoError(t, err)
			return f, locked
		}
		dying, locked := lock()
		require.True(t, locked)
		second, locked := lock()
		assert.False(t, locked, "the first one lives")
		require.NoError(t, second.Close())

		time.AfterFunc(2*time.Second, func() { dying.Close() })
		third, locked := lock()
		assert.True(t, locked)
		require.NoError(t, third.Close())

		_, err := Lock(third)
		assert.ErrorContains(t, err, "lock "+name+": bad file descriptor")
	})
}
