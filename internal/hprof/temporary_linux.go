package hprof

import (
	"os"

	"golang.org/x/sys/unix"
)

// diskSpace returns how many bytes are free on the disk that a file lies on, and how many it has.
func diskSpace(f *os.File) (free, all int64, err error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
