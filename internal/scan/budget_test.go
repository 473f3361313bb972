package scan

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAScanOverItsLimitFails(t *testing.T) {
	over := &MemoryError{LimitBytes: 1 << 20}
	b := &budget{cancel: func() {}}
	assert.NoError(t, b.end(nil))
	b.over.Store(over)
	assert.Equal(t, over, b.end(nil), "it was done before it could be stopped")
	assert.Equal(t, over, b.end(context.Canceled))
	assert.Equal(t, assert.AnError, b.end(assert.AnError))
}
