package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// wakeSlack is how much later than at its time a sleep may end. The kernel's own 50 us are for
// programs in a hurry; here they make Go's scheduler, which watches over what runs
// by sleeps of 20 us, wake up a hundred times for each burst of polls.
const wakeSlack = time.Millisecond

// sleepLazily has the kernel end the sleeps of all threads up to wakeSlack later (proc(5),
// timerslack_ns); threads to come have the slack of those that make them. Where the sidecar may not
// do so, being without CAP_SYS_NICE, it goes on as it is.
func sleepLazily() {
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return
	}
	for _, thread := range threads {
		_ = os.WriteFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"), []byte(strconv.FormatInt(wakeSlack.Nanoseconds(), 10)), 0)
	}
}
