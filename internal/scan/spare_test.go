package scan_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

func TestSpareMemory(t *testing.T) {
	t.Parallel()
	f := func(want int64, files map[string]string) {
		t.Helper()
		root := fstest.MapFS{}
		for name, content := range files {
			root[name] = &fstest.MapFile{Data: []byte(content)}
		}
		assert.Equal(t, want, scan.SpareMemoryBytes(root), fmt.Sprint(files))
	}
	meminfo := "MemTotal:       100 kB\nMemAvailable:       8 kB\n"
	f(0, nil)
	f(8192, map[string]string{"proc/meminfo": meminfo})
	f(8192, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "1\n"})
	f(1000, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "4000\n", "sys/fs/cgroup/memory.current": "3000\n"})
	f(8192, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "400000\n", "sys/fs/cgroup/memory.current": "3000\n"})
	f(0, map[string]string{"proc/meminfo": "rubbish\nMemAvailable: x kB\n"})
}
