package attach

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// heldByAnother tells whether somebody listens at a port in the network of a process and it is not
// that process: of two JVMs that were told the same port for their agents one has none.
func heldByAnother(pid int, port string) bool {
	sockets := listenersAt(pid, port)
	if len(sockets) == 0 {
		return false
	}
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(files, func(f os.DirEntry) bool {
		link, err := os.Readlink(folder + "/" + f.Name())
		return err == nil && slices.Contains(sockets, link)
	})
}

// listenersAt are the sockets that listen at a TCP port in the network of a process, as links in
// /proc/PID/fd name them. Source: proc(5), /proc/net/tcp.
func listenersAt(pid int, port string) []string {
	const (
		local, state, inode = 1, 3, 9
		listening           = "0A"
	)
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	var sockets []string
	for _, family := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, family))
		if err != nil {
			continue // a kernel without IPv6
		}
		for line := range strings.Lines(string(table)) {
			fields := strings.Fields(line)
			if len(fields) > inode && fields[state] == listening && strings.HasSuffix(fields[local], fmt.Sprintf(":%04X", number)) {
				sockets = append(sockets, "socket:["+fields[inode]+"]")
			}
		}
	}
	return sockets
}
