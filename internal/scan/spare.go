package scan

import (
	"bufio"
	"bytes"
	"io/fs"
	"strconv"
	"strings"
)

// SpareMemoryBytes is the memory that is free to use on a Linux machine or in its
// container, zero where that is unknown. root is the root of the file system.
func SpareMemoryBytes(root fs.FS) int64 {
	spare := numberIn(root, "proc/meminfo", "MemAvailable:") << 10
	for _, g := range controlGroups() {
		limit, okLimit := readNumber(root, g.limit)
		used, okUsed := readNumber(root, g.used)
		if !okLimit || !okUsed {
			continue
		}
		for _, cache := range g.cache { // the system takes that back before it runs short
			used -= numberIn(root, g.stat, cache)
		}
		if inGroup := max(0, limit-used); spare == 0 || inGroup < spare {
			spare = inGroup
		}
	}
	return spare
}

// controlGroup names the files of a memory control group as a container sees its own.
type controlGroup struct {
	limit, used, stat string
	cache             []string // keys in stat: pages of files
}

// controlGroups are version 2 and version 1.
func controlGroups() []controlGroup {
	const v2, v1 = "sys/fs/cgroup/", "sys/fs/cgroup/memory/"
	return []controlGroup{
		{v2 + "memory.max", v2 + "memory.current", v2 + "memory.stat", []string{"inactive_file", "active_file"}},
		{v1 + "memory.limit_in_bytes", v1 + "memory.usage_in_bytes", v1 + "memory.stat", []string{"total_inactive_file", "total_active_file"}},
	}
}

// numberIn returns the number behind a key at the beginning of a line, zero where there
// is none.
func numberIn(root fs.FS, name, key string) int64 {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == key {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

// readNumber reads a file with one number; "max" is none.
func readNumber(root fs.FS, name string) (int64, bool) {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	return n, err == nil
}
