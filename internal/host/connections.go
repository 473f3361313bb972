package host

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// maxKnownSockets bounds the sockets that are remembered.
	maxKnownSockets = 10_000
	// unknownFor is how long a socket is not looked for again that is in no table: as a
	// rule it is none of TCP.
	unknownFor = 10 * time.Second
)

// connections knows the ends of sockets by their inodes. The kernel counts inodes of
// sockets up, and a connected socket keeps its ends: what was found stands.
type connections struct {
	known map[string]jvm.Socket
	// absent is until when an inode is not looked for.
	absent map[string]time.Time
}

// learn looks up the inodes that are not known in the tables of a process's network
// namespace. The tables are read only where there are such.
func (c *connections) learn(dir string, inodes map[int64]string, now time.Time) {
	missing := map[string]bool{}
	for _, inode := range inodes {
		if _, ok := c.known[inode]; !ok && now.After(c.absent[inode]) {
			missing[inode] = true
		}
	}
	if len(missing) == 0 {
		return
	}
	if c.known == nil || len(c.known)+len(c.absent) > maxKnownSockets {
		c.known, c.absent = map[string]jvm.Socket{}, map[string]time.Time{}
	}
	for _, table := range []string{"tcp6", "tcp"} {
		c.read(filepath.Join(dir, "net", table), missing)
	}
	for inode := range missing {
		c.absent[inode] = now.Add(unknownFor)
	}
}

// read takes the missing inodes out of a table, until none is missing.
func (c *connections) read(path string, missing map[string]bool) {
	f, err := os.Open(path)
	if err != nil {
		return // what cannot be seen is not known
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for len(missing) > 0 && lines.Scan() {
		// sl local remote state queues timer retransmits uid timeout inode (proc_pid_net(5)).
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || !missing[fields[9]] {
			continue
		}
		local, okLocal := endpoint(fields[1])
		remote, okRemote := endpoint(fields[2])
		if okLocal && okRemote && remote.Port() != 0 {
			c.known[fields[9]] = jvm.Socket{Local: local, Remote: remote}
			delete(c.absent, fields[9])
			delete(missing, fields[9])
		}
	}
}

// endpoint reads an address and port of a table: words of 32 bits as the machine has
// them in memory, then the port, all in hexadecimal digits.
func endpoint(s string) (netip.AddrPort, bool) {
	address, port, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range len(raw) / 4 {
		part := raw[4*word : 4*word+4]
		binary.NativeEndian.PutUint32(part, binary.BigEndian.Uint32(part))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}
