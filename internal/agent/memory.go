package agent

import (
	"bufio"
	"bytes"
	"io/fs"
	"strconv"
	"strings"
)

// SpareMemoryBytes is the memory that is free to use on a Linux machine or in its
// container (cgroup v2), zero where that is unknown. root is the root of the file
// system.
func SpareMemoryBytes(root fs.FS) int64 {
	spare := machineSpare(root)
	limit, okLimit := readNumber(root, "sys/fs/cgroup/memory.max")
	current, okCurrent := readNumber(root, "sys/fs/cgroup/memory.current")
	if okLimit && okCurrent {
		if inGroup := max(0, limit-current); spare == 0 || inGroup < spare {
			spare = inGroup
		}
	}
	return spare
}

// machineSpare is MemAvailable of proc(5).
func machineSpare(root fs.FS) int64 {
	content, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemAvailable:" && fields[2] == "kB" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
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
