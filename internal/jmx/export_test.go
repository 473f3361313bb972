package jmx

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// DecodePoll reads an answer to the bulk of a poll without a network.
func DecodePoll(body []byte) (*jvm.Snapshot, error) {
	items := pollItems()
	replies, err := parseBulk(body, len(items))
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(time.UnixMilli(0), items, replies), nil
}

// ReadTestdata is the content of a file in testdata.
func ReadTestdata(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return content
}

// ParseFinalizerInfo is parseFinalizerInfo.
func ParseFinalizerInfo(out string) *jvm.FinalizerQueue { return parseFinalizerInfo(out) }
