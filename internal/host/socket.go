package host

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// ErrNoRight says that the system does not let us see what a thread waits for.
var ErrNoRight = errors.New("what threads wait for may not be seen: that takes CAP_SYS_PTRACE, or the JVM's user where kernel.yama.ptrace_scope is 0")

// Sockets are the connections that threads wait on, by the threads' ids. threads has
// the time on a processor, in nanoseconds, that the JVM told of each of them: a thread
// that has run since is left out, for nobody knows whether it waits for the same. The
// error is ErrNoRight, and what was found before it stands.
func (p *Process) Sockets(threads map[int64]int64) (map[int64]jvm.Socket, error) {
	inodes := map[int64]string{}
	var fault error
	for id, cpuNs := range threads {
		if !p.Still(id, cpuNs) {
			continue
		}
		inode, err := p.waitsOn(p.threads[id].tid)
		if errors.Is(err, fs.ErrPermission) {
			fault = ErrNoRight
			break
		}
		if err == nil {
			inodes[id] = inode
		}
	}
	p.sockets.learn(p.dir, inodes, time.Now())
	near := p.near()
	var timing timing
	if near {
		timing = openTiming()
		defer timing.close()
	}
	found := map[int64]jvm.Socket{}
	for id, inode := range inodes {
		s, ok := p.sockets.known[inode]
		if !ok {
			continue
		}
		s.Near = near
		if near {
			s.RTT, s.Unanswered = timing.of(s)
		}
		if p.Still(id, threads[id]) {
			found[id] = s
		}
	}
	return found, fault
}

// Still tells whether a thread has not run since the JVM told its time on a processor.
func (p *Process) Still(id, cpuNs int64) bool {
	t := p.threads[id]
	if t == nil {
		return false
	}
	ran, _, ok := p.schedstat(t.tid)
	return ok && ran == cpuNs
}

// near tells whether the process is in our own network namespace.
func (p *Process) near() bool {
	theirs, err := os.Readlink(filepath.Join(p.dir, "ns", "net"))
	if err != nil {
		return false
	}
	ours, err := os.Readlink(filepath.Join(filepath.Dir(p.dir), "self", "ns", "net"))
	return err == nil && ours == theirs
}

// errNoSocket says that a thread does not wait on a socket.
var errNoSocket = errors.New("not on a socket")

// waitsOn is the inode of the socket that a task waits on in a system call.
func (p *Process) waitsOn(tid string) (inode string, err error) {
	line, err := os.ReadFile(filepath.Join(p.dir, "task", tid, "syscall"))
	if err != nil {
		return "", err
	}
	fd, err := p.descriptor(string(line))
	if err != nil {
		return "", err
	}
	link, err := os.Readlink(filepath.Join(p.dir, "fd", strconv.FormatInt(fd, 10)))
	if err != nil {
		return "", err
	}
	inode, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return "", errNoSocket
	}
	return strings.TrimSuffix(inode, "]"), nil
}

// callKind says where a system call has its file descriptor.
type callKind int

const (
	direct callKind = iota + 1
	polled
)

// calls are the system calls that wait on one socket, by number
// (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
func calls(arch string) map[string]callKind {
	switch arch {
	case "amd64": // read write poll readv writev connect sendto recvfrom sendmsg recvmsg ppoll
		return map[string]callKind{
			"0": direct, "1": direct, "7": polled, "19": direct, "20": direct, "42": direct, "44": direct, "45": direct,
			"46": direct, "47": direct, "271": polled,
		}
	case "arm64": // read write readv writev ppoll connect sendto recvfrom sendmsg recvmsg
		return map[string]callKind{
			"63": direct, "64": direct, "65": direct, "66": direct, "73": polled, "203": direct, "206": direct,
			"207": direct, "211": direct, "212": direct,
		}
	}
	return nil
}

// descriptor is the file that a call waits on, from a line of /proc/PID/task/TID/syscall:
// the call's number, its six arguments, the stack and the program (proc_pid_syscall(5)).
func (p *Process) descriptor(line string) (int64, error) {
	fields := strings.Fields(line)
	if len(fields) < 7 { // it runs, or is not in a call
		return 0, errNoSocket
	}
	first, err := strconv.ParseUint(fields[1], 0, 64)
	if err != nil {
		return 0, err
	}
	switch calls(runtime.GOARCH)[fields[0]] {
	case direct:
		return int64(int32(first)), nil
	case polled:
		if fields[2] != "0x1" { // on several files
			return 0, errNoSocket
		}
		return p.pollFD(first)
	}
	return 0, errNoSocket
}

// pollFD reads the first field of the one struct pollfd at an address of the process.
func (p *Process) pollFD(address uint64) (int64, error) {
	mem, err := os.Open(filepath.Join(p.dir, "mem"))
	if err != nil {
		return 0, err
	}
	defer mem.Close()
	var fd [4]byte
	if _, err := mem.ReadAt(fd[:], int64(address)); err != nil {
		return 0, err
	}
	return int64(int32(binary.NativeEndian.Uint32(fd[:]))), nil
}
