package offheap

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Resident returns how much of the process is in memory, in bytes.
//
// Source: proc_pid_statm(5): size, then resident, in pages.
func Resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("how much memory this process takes: %w", err)
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0, fmt.Errorf("how much memory this process takes: %q", b)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("how much memory this process takes: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
