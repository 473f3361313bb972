// Package host sees a JVM's process, and the machine beside it, from outside, where
// the sidecar runs on the same Linux host and in a process namespace that shows it. Everything in it fails softly:
// what cannot be seen is not known.
package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// bootTolerance is how much later than its JVM says a process may seem to have
	// started: the system tells its own start in whole seconds.
	bootTolerance = 3 * time.Second
	// bornWithin is how much earlier: on a starved machine a JVM takes long to come to
	// where it reads the clock.
	bornWithin = time.Minute
)

// isStart tells whether a process that started at a time (both in milliseconds since 1970)
// may be the JVM that tells the other one.
func isStart(processMs, jvmMs int64) bool {
	late := time.Duration(jvmMs-processMs) * time.Millisecond
	return late >= -bootTolerance && late <= bornWithin
}

// Process is a JVM's process. Its methods are not safe for concurrent use.
type Process struct {
	dir string
	// threads are the native ones of Java threads by their Java ids.
	threads map[int64]*thread
	// taken are the native ids that are somebody's.
	taken map[string]bool
	// sockets are those that threads were seen to wait on.
	sockets connections
}

// thread is the native thread that a Java thread is held to be.
type thread struct {
	tid string
	// sure says that JVM and kernel agreed about it.
	sure bool
	// cpuNs is what the JVM said last of its time on a processor, ranNs what the kernel
	// did after that, at readAt.
	cpuNs, ranNs int64
	readAt       time.Time
}

// fits tells whether it can be the thread of which the JVM said cpuNs at a time, and the
// kernel now says ranNs: who reads the counter later never reads less.
func (t *thread) fits(cpuNs, ranNs int64, at time.Time) bool {
	later := at.After(t.readAt)
	if ranNs < cpuNs || later && cpuNs < t.ranNs {
		return false
	}
	t.sure = t.sure || ranNs == cpuNs || later && cpuNs > t.cpuNs && ranNs < cpuNs+lag
	t.cpuNs, t.ranNs, t.readAt = cpuNs, ranNs, time.Now()
	return true
}

// Find is the process of a JVM that calls itself pid and started at startMs (since
// 1970), nil where it cannot be seen. root is the root of the file system. The start
// keeps apart processes of the same number on other hosts and in other containers.
func Find(root string, pid, startMs int64) *Process {
	h := New(Options{Root: os.DirFS(root)})
	boot, okBoot := h.bootMs()
	started, ok := h.startMs(int(pid), boot)
	if !okBoot || !ok || !isStart(started, startMs) {
		return nil
	}
	dir := filepath.Join(root, "proc", strconv.FormatInt(pid, 10))
	return &Process{dir: dir, threads: map[int64]*thread{}, taken: map[string]bool{}}
}

// lag is how much a thread that runs may have run between the JVM's read of its
// counter and ours.
const lag = int64(20 * time.Millisecond)

// Match finds the native ids of Java threads by the time that they have spent on a
// processor: JVM and kernel read the same counter of nanoseconds, so that a thread
// that has not run between the two reads has the same number in both, and hardly any
// other has. One that has run is matched where nothing else is near, and believed to be
// that one when both have said so again. Others find their match another time.
func (p *Process) Match(cpuNs map[int64]int64) {
	missing := map[int64]int64{}
	for id, ns := range cpuNs {
		if _, known := p.threads[id]; !known && ns > 0 {
			missing[id] = ns
		}
	}
	if len(missing) == 0 {
		return
	}
	tasks, err := os.ReadDir(filepath.Join(p.dir, "task"))
	if err != nil {
		return
	}
	ran := map[string]int64{}
	for _, task := range tasks {
		if tid := task.Name(); !p.taken[tid] {
			if ns, _, ok := p.schedstat(tid); ok {
				ran[tid] = ns
			}
		}
	}
	for id, ns := range missing {
		var near, same []string
		for tid, n := range ran {
			if n == ns {
				same = append(same, tid)
			} else if n > ns && n < ns+lag {
				near = append(near, tid)
			}
		}
		switch {
		case len(same) == 1:
			near = same
		case len(same) > 1, len(near) != 1, ns < lag:
			continue
		}
		tid := near[0]
		p.threads[id], p.taken[tid] = &thread{tid: tid, sure: len(same) == 1, cpuNs: ns, ranNs: ran[tid], readAt: time.Now()}, true
		delete(ran, tid)
	}
}

// fresh is for how long what the JVM told of a thread that has run since goes with what
// the kernel tells of it now. What it waited for in between counts as from before, which
// is less of an error than not to know: on a machine that is late to ask threads do wait.
const fresh = 500 * time.Millisecond

// RunQueueNs is the time that a Java thread has been ready to run and did not, since
// its start, as of when the JVM told its time on a processor, cpuNs: at. The kernel counts
// the time when it is over. It is false where nobody knows, as of a thread that has run
// since, and who knows how long it had waited for that.
func (p *Process) RunQueueNs(id, cpuNs int64, at time.Time) (int64, bool) {
	t := p.threads[id]
	if t == nil {
		return 0, false
	}
	ran, waited, ok := p.schedstat(t.tid)
	if !ok || !t.fits(cpuNs, ran, at) { // it has ended, or it never was that thread
		delete(p.threads, id)
		delete(p.taken, t.tid)
		return 0, false
	}
	return waited, t.sure && (ran == cpuNs || time.Since(at) < fresh)
}

// schedstat reads how long a task has run and waited for a processor, in nanoseconds
// (Documentation/scheduler/sched-stats.rst).
func (p *Process) schedstat(tid string) (ran, waited int64, ok bool) {
	content, err := os.ReadFile(filepath.Join(p.dir, "task", tid, "schedstat"))
	if err != nil {
		return 0, 0, false
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0, 0, false
	}
	ran, errRan := strconv.ParseInt(fields[0], 10, 64)
	waited, errWaited := strconv.ParseInt(fields[1], 10, 64)
	return ran, waited, errRan == nil && errWaited == nil
}
