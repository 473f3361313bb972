package host_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// call is a line of /proc/PID/task/TID/syscall: recvfrom or ppoll with its first two
// arguments, by the machine's own numbers.
func call(t *testing.T, name string, a, b uint64) string {
	t.Helper()
	numbers := map[string]map[string]int{"amd64": {"recvfrom": 45, "poll": 271, "futex": 202}, "arm64": {"recvfrom": 207, "poll": 73, "futex": 98}}
	arch, ok := numbers[runtime.GOARCH]
	if !ok {
		t.Skip("no numbers of system calls for " + runtime.GOARCH)
	}
	return fmt.Sprintf("%d %#x %#x 0x0 0x0 0x0 0x0 0x7f 0x7f\n", arch[name], a, b)
}

// waiting is a process whose only thread, Java's 7, has run for 1 s and is in a call.
func waiting(t *testing.T, syscall, link string) *host.Process {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "proc", "42")
	write := func(name, content string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, "proc", name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, "proc", name), []byte(content), 0o600))
	}
	write("stat", "btime 1000\n")
	write("42/stat", "42 (java) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 30 0 0 1 1\n")
	write("42/task/43/schedstat", "1000000000 0 1\n")
	write("42/task/43/syscall", syscall)
	mem := make([]byte, 64)
	binary.NativeEndian.PutUint32(mem[32:], 5)
	write("42/mem", string(mem))
	loopback := []byte{127, 0, 0, 1}
	word := binary.NativeEndian.Uint32(loopback)
	ffff := binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff})
	head := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	write("42/net/tcp", head+fmt.Sprintf("   0: %08X:0FA0 %08X:1538 01 00000000:00000000 00:00000000 00000000     0        0 4242 1\n", word, word))
	write("42/net/tcp6", head+fmt.Sprintf("   0: 0000000000000000%08X%08X:0FA1 0000000000000000%08X%08X:1F90 01 0:0 0:0 0 0 0 4343 1\n", ffff, word, ffff, word))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "fd"), 0o755))
	require.NoError(t, os.Symlink(link, filepath.Join(dir, "fd", "5")))
	p := host.Find(root, 42, 1_000_000)
	require.NotNil(t, p)
	p.Match(map[int64]int64{7: 1e9})
	return p
}

func TestSockets(t *testing.T) {
	t.Parallel()
	plain := jvm.Socket{Local: netip.MustParseAddrPort("127.0.0.1:4000"), Remote: netip.MustParseAddrPort("127.0.0.1:5432")}
	mapped := jvm.Socket{Local: netip.MustParseAddrPort("127.0.0.1:4001"), Remote: netip.MustParseAddrPort("127.0.0.1:8080")}
	for name, tc := range map[string]struct {
		syscall, link string
		want          *jvm.Socket
	}{
		"received from":      {call(t, "recvfrom", 5, 0), "socket:[4242]", &plain},
		"polled":             {call(t, "poll", 32, 1), "socket:[4343]", &mapped},
		"several polled":     {call(t, "poll", 32, 2), "socket:[4343]", nil},
		"bad address":        {call(t, "poll", 1<<62, 1), "socket:[4343]", nil},
		"another call":       {call(t, "futex", 5, 0), "socket:[4242]", nil},
		"runs":               {"running\n", "socket:[4242]", nil},
		"in no call":         {"-1 0x7f 0x7f\n", "socket:[4242]", nil},
		"empty":              {"", "socket:[4242]", nil},
		"no such file":       {call(t, "recvfrom", 6, 0), "socket:[4242]", nil},
		"a file":             {call(t, "recvfrom", 5, 0), "/etc/passwd", nil},
		"a socket of others": {call(t, "recvfrom", 5, 0), "socket:[1]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := waiting(t, tc.syscall, tc.link)
			got, err := p.Sockets(map[int64]int64{7: 1e9, 8: 5})
			require.NoError(t, err)
			if tc.want == nil {
				assert.Empty(t, got)
				return
			}
			assert.Equal(t, map[int64]jvm.Socket{7: *tc.want}, got)
			got, err = p.Sockets(map[int64]int64{7: 1e9 - 1})
			require.NoError(t, err)
			assert.Empty(t, got, "it has run since")
		})
	}
}
