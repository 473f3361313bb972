package push

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockFolder keeps other processes out of dir until the file is closed.
func lockFolder(dir string) (*os.File, error) {
	f, err := openOwn(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: another apm-sidecar uses %s; stop it or choose another folder", ErrInUse, dir)
	}
	return nil, fmt.Errorf("push: lock %s: %w", dir, err)
}
