package scan

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
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

func TestWhatCannotMoveLeavesRoomForBuffers(t *testing.T) {
	now, err := offheap.Resident()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	need := offheap.Need{Fixed: 90 << 20}
	b := &budget{limit: now + need.Fixed + slackBytes/2}
	var refused *MemoryError
	require.ErrorAs(t, b.fits(now, need), &refused)
	assert.Greater(t, refused.NeedBytes, b.limit)
	assert.NoError(t, b.fits(now, offheap.Need{Fixed: slackBytes}), "that is left for it")
}
