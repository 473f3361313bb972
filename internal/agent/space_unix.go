//go:build unix

package agent

import (
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// freeBytes is the space an ordinary user may still write in the directory's
// file system.
func freeBytes(directory string) jvm.Opt[int64] {
	var st unix.Statfs_t
	if err := unix.Statfs(directory, &st); err != nil {
		return jvm.Opt[int64]{}
	}
	return jvm.Count(int64(st.Bavail) * int64(st.Bsize))
}
