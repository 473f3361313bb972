package discover_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServersAreNamedByTheirProperties: all Tomcats have one main class, but each has a folder.
func TestServersAreNamedByTheirProperties(t *testing.T) {
	t.Parallel()
	java := filepath.Join(t.TempDir(), "java")
	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(java, shell, 0o700)) //nolint:gosec // it is to be run
	for port, base := range map[int]string{7791: "shop", 7792: "till"} {
		cmd := exec.CommandContext(t.Context(), java, "-c", "read line", fmt.Sprintf("-Dcatalina.base=/srv/%d/%s", os.Getpid(), base),
			fmt.Sprintf("-javaagent:/opt/jolokia.jar=port=%d", port))
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			assert.NoError(t, stdin.Close())
			_ = cmd.Wait() // read has met the end
		})
	}
	d := run(t, fmt.Sprintf(`
- job_name: here
  local_sd_configs: [{}]
  relabel_configs:
    - {source_labels: [__meta_local_property_catalina_base], regex: "/srv/%d/(.+)", target_label: job}
    - {source_labels: [__meta_local_property_catalina_base], regex: "/srv/%d/.+", action: keep}
`, os.Getpid(), os.Getpid()))
	eventually(t, d, "shop/127.0.0.1:7791 http://127.0.0.1:7791/jolokia/", "till/127.0.0.1:7792 http://127.0.0.1:7792/jolokia/")
}
