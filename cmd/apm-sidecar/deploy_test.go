package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
)

// TestDeployIsTrue holds the files for deployment to the program.
func TestDeployIsTrue(t *testing.T) {
	t.Parallel()
	policy, err := os.ReadFile("../../deploy/jolokia-access.xml")
	require.NoError(t, err)
	assert.Equal(t, string(jmx.Policy(true)), string(policy), "run: apm-sidecar policy > deploy/jolokia-access.xml")

	text, err := os.ReadFile("../../deploy/helm/apm-sidecar/values.yaml")
	require.NoError(t, err)
	var values struct {
		Config map[string]any `yaml:"config"`
	}
	require.NoError(t, yaml.Unmarshal(text, &values))
	inner, err := yaml.Marshal(values.Config)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, inner, 0o600))
	c, err := config.Load(file, func(string) string { return "" })
	require.NoError(t, err)
	assert.NoError(t, c.Validate())
}
