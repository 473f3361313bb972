package agent

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// ReadingOf is readingOf.
func ReadingOf(s *jvm.Snapshot) (Reading, bool) { return readingOf(s) }

// MaxAtWork is maxAtWork.
const MaxAtWork = maxAtWork

// Written is written.
func Written(ctx context.Context, dump string) bool { return written(ctx, dump) }
