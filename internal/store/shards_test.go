package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shardsBefore is what the engine chose, before any store was opened.
var shardsBefore = rawRowsShards

// TestTheEngineHasOnePieceForRows looks at the engine's own variable: were it called otherwise, ours
// would have been zero.
func TestTheEngineHasOnePieceForRows(t *testing.T) {
	assert.NotZero(t, shardsBefore)
	s, err := Open(Options{Dir: t.TempDir()})
	require.NoError(t, err)
	assert.Equal(t, 1, rawRowsShards)
	require.NoError(t, s.Close())
}
