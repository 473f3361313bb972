package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// TestCost gives what lies outside the heap as no share of it.
func TestCost(t *testing.T) {
	inUse := int64(10 << 20)
	r := &Report{}
	r.Heap.ReachableBytes = &inUse
	assert.Equal(t, "2 objects, 5.00 MiB = 50.0 % of what is in use", cost(r, finding.Finding{Kind: "big-retainer", Objects: 2, Bytes: 5 << 20}))
	assert.Equal(t, "2 objects, 45.0 MiB", cost(r, finding.Finding{Kind: "direct-buffers", Objects: 2, Bytes: 45 << 20}))
}
