package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The engine refuses by a look of its own, which may be newer than ours.
func TestTooLittleTellsWhatIsFreeNow(t *testing.T) {
	s := newSpace(Options{Dir: t.TempDir()}.withDefaults())
	assert.NotContains(t, s.tooLittle().Error(), "EiB", "what is free before the first look")
}
