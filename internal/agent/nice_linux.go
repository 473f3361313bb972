package agent

import "golang.org/x/sys/unix"

// lowerPriority makes the calling thread the last to get a processor. It is a
// courtesy: without it the analysis runs all the same.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19) }

// onFirstThread tells whether the caller is on the thread that the process began with.
func onFirstThread() bool { return unix.Gettid() == unix.Getpid() }
