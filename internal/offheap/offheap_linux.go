package offheap

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func allocate(bytes int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("no memory for an array of %d bytes: %w", bytes, err)
	}
	return b, nil
}

func adviseHuge(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a hint: without it all works, only slower
}

func populate(b []byte) {
	_ = unix.Madvise(b, unix.MADV_POPULATE_WRITE) // a hint: systems before Linux 5.14 don't know it
}

func release(b []byte) {
	// The only errors are those of arguments that are no mapping.
	_ = unix.Munmap(b)
}
