package host

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Local is this machine.
func Local() *Host {
	opts := Options{Root: os.DirFS("/"), Statfs: statfs}
	// Without a name or addresses fewer JVMs are known to be here.
	opts.Hostname, _ = os.Hostname()
	if addresses, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				opts.Addresses = append(opts.Addresses, n.IP.String())
			}
		}
	}
	return New(opts)
}

func statfs(path string) (size, free, left int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	block := int64(s.Bsize)
	return int64(s.Blocks) * block, int64(s.Bfree) * block, int64(s.Bavail) * block, nil
}
