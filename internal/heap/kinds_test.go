package heap

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSizeBeyondAllArrays has an array of more elements than Java has numbers for: its size does not begin at nothing again.
func TestSizeBeyondAllArrays(t *testing.T) {
	assert.Equal(t, uint32(math.MaxUint32), kindOf(1, 16+math.MaxUint32*8).size8)
	assert.Equal(t, uint32(1<<31+2), kindOf(1, 16+8<<31).size8)
}
