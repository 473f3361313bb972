package e2e

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// imageUser is who the Dockerfile runs the program as.
const imageUser = 65532

// TestImage runs the sidecar in the root folder that the container image is made of, as
// its user and with nothing else of this system: it stores, says that it is well, and
// ends when asked.
func TestImage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may change the root folder")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	made, err := exec.CommandContext(t.Context(), "make", "-C", root, "image-root").CombinedOutput()
	require.NoError(t, err, string(made))
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.CopyFS(image, os.DirFS(filepath.Join(root, "build", "image"))))
	for _, own := range []string{"var/lib/apm-sidecar", "tmp"} {
		require.NoError(t, os.Chown(filepath.Join(image, own), imageUser, imageUser))
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "Dockerfile"))
	require.NoError(t, err)
	for _, want := range []string{"USER 65532:65532", `ENTRYPOINT ["/usr/local/bin/apm-sidecar"]`, `CMD ["run", "--config", "/etc/apm-sidecar/config.yaml"]`, "make image-root"} {
		assert.Contains(t, string(text), want, "the test does what the Dockerfile says")
	}
	port, err := harness.FreePort(t.Context())
	require.NoError(t, err)
	listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	require.NoError(t, os.WriteFile(filepath.Join(image, "etc/apm-sidecar/config.yaml"),
		[]byte("targets: [{url: 'http://127.0.0.1:1/'}]\nlisten: "+listen+"\ninterval: 1s\n"), 0o644))
	inside := func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "/usr/local/bin/apm-sidecar", args...)
		cmd.Dir = "/"
		cmd.Env = []string{"APM_SIDECAR_DATA_DIR=/var/lib/apm-sidecar", "APM_SIDECAR_LISTEN=" + listen}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: image, Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
		return cmd
	}
	var log bytes.Buffer
	sidecar := inside(t.Context(), "run", "--config", "/etc/apm-sidecar/config.yaml")
	sidecar.Stdout, sidecar.Stderr = &log, &log
	require.NoError(t, sidecar.Start())
	ready := assert.Eventually(t, func() bool { return inside(t.Context(), "health", "--ready").Run() == nil }, patience, 100*time.Millisecond)
	said, err := inside(t.Context(), "health").Output()
	assert.NoError(t, err)
	assert.Equal(t, "healthy\n", string(said))
	require.NoError(t, sidecar.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, sidecar.Wait(), log.String())
	assert.True(t, ready, log.String())
	assert.DirExists(t, filepath.Join(image, "var/lib/apm-sidecar/store"))
	assert.NotContains(t, log.String(), "level=ERROR")
}
