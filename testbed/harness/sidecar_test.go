package harness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogsAreReadWithBlanksInPaths(t *testing.T) {
	bench, err := NewBench()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bench.Close()) })
	script := `cat <<'EOF'
time=1 level=INFO msg=listening addr=127.0.0.1:80 url=http://127.0.0.1:80/
time=2 level=INFO msg="heap dump written" target=jvm/a dump="/a b/c \"d\".hprof" bytes=3
time=3 level=ERROR msg="no analysis" dump=/a error="it broke"
EOF`
	process, err := bench.Start(t.Context(), Command{Name: "logs", Path: "sh", Args: []string{"-c", script}})
	require.NoError(t, err)
	sidecar := &Sidecar{Process: process}
	address, err := sidecar.awaitLog(t.Context(), "listening", "addr")
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:80", address)
	dump, err := sidecar.AwaitDump(t.Context())
	require.NoError(t, err)
	assert.Equal(t, `/a b/c "d".hprof`, dump)
	_, err = sidecar.AwaitReport(t.Context())
	require.ErrorIs(t, err, ErrNoAnalysis)
	assert.ErrorContains(t, err, "it broke", "rather than waiting for what never comes")
}
