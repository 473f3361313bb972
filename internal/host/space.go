package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FreeBytes is what an ordinary user may still write to the file system of a folder.
func FreeBytes(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", folder, err)
	}
	//nolint:unconvert // Bsize has another type on other systems
	return int64(s.Bavail) * int64(s.Bsize), nil
}
