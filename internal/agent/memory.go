package agent

import (
	"os"

	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// AnalysisMemoryBytes is what an analysis may take beside the work of this process: half of
// what is free on this machine or in this container, zero where that is unknown.
func AnalysisMemoryBytes() int64 { return scan.SpareMemoryBytes(os.DirFS("/")) / 2 }
