package series_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain defines -update.
func TestMain(m *testing.M) {
	flag.Bool("update", false, "write docs/metrics.md instead of comparing")
	os.Exit(m.Run())
}
