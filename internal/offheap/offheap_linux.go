package offheap

import (
	"fmt"
	"time"

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

// hurry asks for the thread to be run as soon as it wakes: by a short slice, which Linux knows
// from 6.12 on, and before others where the process has the right to ask for that.
func hurry() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: -20, Runtime: uint64(shortSlice.Nanoseconds())}
	if unix.SchedSetAttr(0, &attr, 0) != nil {
		attr.Nice = 0
		_ = unix.SchedSetAttr(0, &attr, 0) // a hint
	}
}

// shortSlice is the shortest there is.
const shortSlice = 100 * time.Microsecond

// sleep has the thread sleep; a signal ends that early.
func sleep(d time.Duration) {
	wait := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&wait, nil)
}

func release(b []byte) {
	// The only errors are those of arguments that are no mapping.
	_ = unix.Munmap(b)
}
