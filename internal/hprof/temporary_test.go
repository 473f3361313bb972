package hprof

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is compressed may give gigabytes without another read: a signal stops the writing too.
func TestSpoolEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := newSpool(ctx)
	require.NoError(t, err)
	defer s.file.Close()
	_, err = s.Write([]byte("some"))
	require.NoError(t, err)
	cancel()
	_, err = s.Write([]byte("more"))
	require.ErrorIs(t, err, context.Canceled)
	info, err := s.file.Stat()
	require.NoError(t, err)
	assert.EqualValues(t, 4, info.Size())
}
