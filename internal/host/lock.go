package host

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A process that was killed keeps its locks until its memory is given back and its threads have
// had a turn to die, which takes a while on a busy machine.
const (
	lockPatience = 3 * time.Second
	lockPause    = 20 * time.Millisecond
)

// Lock takes the lock of a file, which other processes respect, until the file is closed. It is
// false where somebody else has it, and goes on having it for some seconds.
func Lock(f *os.File) (bool, error) {
	retry := time.NewTicker(lockPause)
	defer retry.Stop()
	end := time.Now().Add(lockPatience)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Now().After(end):
			return false, nil
		}
		<-retry.C
	}
}
