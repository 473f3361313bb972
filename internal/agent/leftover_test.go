package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
)

// TestADumpThatIsBeingWrittenIsWaitedFor, whether it grows itself or parts beside it do.
func TestADumpThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	for _, growing := range []string{"shop.hprof", "shop.hprof.p0"} {
		t.Run(growing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dump := filepath.Join(t.TempDir(), "shop.hprof")
				require.NoError(t, os.WriteFile(dump, []byte("begin"), 0o600))
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					f, err := os.Create(filepath.Join(filepath.Dir(dump), growing))
					if !assert.NoError(t, err) {
						return
					}
					defer f.Close()
					for range 100 {
						_, err := f.WriteString("more")
						assert.NoError(t, err)
						time.Sleep(time.Second)
					}
				}()
				start := time.Now()
				assert.True(t, agent.Written(ctx, dump))
				assert.GreaterOrEqual(t, time.Since(start), 100*time.Second)
				cancel()
				require.NoError(t, os.WriteFile(dump, []byte("another"), 0o600))
				assert.False(t, agent.Written(ctx, dump), "there is no time to find out")
			})
		})
	}
}
