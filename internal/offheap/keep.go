package offheap

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	// leastWait and mostWait bound the time between two looks.
	leastWait = 250 * time.Microsecond
	mostWait  = 20 * time.Millisecond
	// rounds is how often garbage is collected before the limit can't be kept: the work goes on
	// meanwhile, and takes some of the pages again that were dropped.
	rounds = 3
)

// pace says how fast pages come back that were dropped, and what is left free for that. Where both
// virtual processors of a machine are busy, one look in a hundred comes 6 ms late or more, at
// SCHED_FIFO too; later where other programs run.
type pace struct {
	// free is how much is left free, in bytes, and part, in percent of the limit, the most.
	free, part int64
	// growth is how fast memory is taken to fill, in bytes a second.
	growth float64
}

// paceHere returns that of this system.
func paceHere() pace {
	if canPagewise() {
		// A processor that goes through a file takes 2.7 GB/s where a fault brings one page.
		n := runtime.NumCPU()
		return pace{free: int64(n) * 32 << 20, part: 30, growth: float64(n) * (4 << 30)}
	}
	// Where it brings its neighbours too, 17 GB/s were measured, 150 MiB between two looks.
	return pace{free: 256 << 20, part: 40, growth: 64 << 30}
}

// aim returns what the process may take of a limit before pages are dropped.
func (p pace) aim(limit int64) int64 { return limit - min(limit*p.part/100, p.free) }

// wait returns how long the next look can wait where the process takes so much.
func (p pace) wait(limit, resident int64) time.Duration {
	left := max(p.aim(limit)-resident, 0)
	return min(max(time.Duration(float64(left)/p.growth*float64(time.Second)), leastWait), mostWait)
}

// Aim returns what Keep lets the process take before it drops pages.
func Aim(limit int64) int64 { return paceHere().aim(limit) }

// LimitFor returns the limit of which Aim is that much.
func LimitFor(aim int64) int64 {
	p := paceHere()
	return min((aim*100+99-p.part)/(100-p.part), aim+p.free)
}

// OverLimitError says that the process takes more than it may, and that nothing is left
// to be moved to the disk.
type OverLimitError struct{ Resident, Limit int64 }

// Error tells the two numbers.
func (e *OverLimitError) Error() string {
	return fmt.Sprintf("%d bytes of memory are in use, and the limit is %d", e.Resident, e.Limit)
}

// Keep holds what the process takes, all of it, below a limit in bytes, until ctx ends:
// it takes pages of spilled arrays out of memory in time. Errors: *OverLimitError where
// that is not enough, then something must stop the work; that of Resident.
//
// It must have a goroutine of its own, whose thread ends with it: one that the system is asked to
// run before others, and that sleeps without Go's timers, which are late by a millisecond.
func (m *Memory) Keep(ctx context.Context, limit int64) error {
	runtime.LockOSThread()
	hurry()
	p := paceHere()
	for ctx.Err() == nil {
		now, err := m.lower(limit, p.aim(limit))
		if err != nil {
			return err
		}
		sleep(p.wait(limit, now))
	}
	return nil
}

// lower drops pages where the process takes more than aim, and returns what it takes then.
func (m *Memory) lower(limit, aim int64) (int64, error) {
	now, err := Resident()
	if err != nil || now <= aim {
		return now, err
	}
	for round := 0; ; round++ {
		m.Drop()
		if now, err = Resident(); err != nil || now <= limit {
			return now, err
		}
		if round == rounds || round > 0 && m.Spilled() == 0 { // each takes time, in which more is taken
			return now, &OverLimitError{Resident: now, Limit: limit}
		}
		debug.FreeOSMemory() // garbage, perhaps
	}
}
