package host_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// TestSocketOfARealProcess follows a shell that has asked and waits for the answer.
func TestSocketOfARealProcess(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	script := fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; read -r go <&3; sleep 0.1; echo hello >&3; read -r answer <&3", listener.Addr().(*net.TCPAddr).Port)
	child := exec.CommandContext(t.Context(), bash, "-c", script)
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	conn, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("go\n"))
	require.NoError(t, err)
	word := make([]byte, 6)
	_, err = conn.Read(word)
	require.NoError(t, err)

	p := host.Find("/", int64(child.Process.Pid), time.Now().UnixMilli())
	require.NotNil(t, p)
	assert.Eventually(t, func() bool {
		ran := ranNs(t, child.Process.Pid)
		p.Match(map[int64]int64{1: ran})
		sockets, err := p.Sockets(map[int64]int64{1: ran})
		require.NoError(t, err)
		s, ok := sockets[1]
		return ok && s.Near && s.Remote.String() == conn.LocalAddr().String() && s.Local.String() == conn.RemoteAddr().String() &&
			s.RTT > 0 && s.Unanswered > 0 && s.Unanswered < time.Minute
	}, time.Minute, 20*time.Millisecond)
}

// ranNs is the time on a processor of a process's first thread.
func ranNs(t *testing.T, pid int) int64 {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	require.NoError(t, err)
	ns, err := strconv.ParseInt(strings.Fields(string(content))[0], 10, 64)
	require.NoError(t, err)
	return ns
}
