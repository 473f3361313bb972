package push

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// lockFolder keeps other processes out of dir until the file is closed.
func lockFolder(dir string) (*os.File, error) {
	f, err := openOwn(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	locked, err := host.Lock(f)
	switch {
	case locked:
		return f, nil
	case err == nil:
		err = fmt.Errorf("%w: another apm-sidecar uses %s; stop it or choose another folder", ErrInUse, dir)
	default:
		err = fmt.Errorf("push: %w", err)
	}
	f.Close()
	return nil, err
}
