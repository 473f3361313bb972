package finding_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// A kind that a detector gives and Kinds lacks could not be gated on.
func TestKindsAreListed(t *testing.T) {
	assert.True(t, slices.IsSorted(finding.Kinds()))
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	given := regexp.MustCompile(`\bKind(?:: +|\s*=\s*)"([a-z]+(?:-[a-z]+)+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range given.FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, finding.Kinds(), match[1], file)
			found++
		}
	}
	assert.Greater(t, found, 3, "kinds are no longer written as this test expects")
}
