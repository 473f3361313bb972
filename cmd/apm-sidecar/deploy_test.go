package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
)

// TestDeployIsTrue holds the files for deployment to the program.
func TestDeployIsTrue(t *testing.T) {
	t.Parallel()
	policy, err := os.ReadFile("../../deploy/jolokia-access.xml")
	require.NoError(t, err)
	assert.Equal(t, string(jmx.Policy(true)), string(policy), "run: apm-sidecar policy > deploy/jolokia-access.xml")
}
