package offheap

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	// keptFree is the part of the limit, in percent, that is left free when pages are
	// dropped: they come back faster than anyone can look, up to maxKeptFree between two
	// looks, and a look comes late where other programs, or other virtual machines, run.
	keptFree    = 40
	maxKeptFree = 256 << 20
	// growth is how fast memory is taken to fill, in bytes a second: four times the 17 GB/s that
	// were measured where pages of a file that are in memory are mapped again, as looks come late.
	growth = 64 << 30
	// leastWait and mostWait bound the time between two looks.
	leastWait = 250 * time.Microsecond
	mostWait  = 20 * time.Millisecond
	// rounds is how often all pages are dropped before the limit can't be kept: the work goes on
	// meanwhile, and takes some of them again.
	rounds = 3
)

// OverLimitError says that the process takes more than it may, and that nothing is left
// to be moved to the disk.
type OverLimitError struct{ Resident, Limit int64 }

// Error tells the two numbers.
func (e *OverLimitError) Error() string {
	return fmt.Sprintf("%d bytes of memory are in use, and the limit is %d", e.Resident, e.Limit)
}

// Aim returns what Keep lets the process take before it drops pages.
func Aim(limit int64) int64 { return limit - min(limit*keptFree/100, maxKeptFree) }

// LimitFor returns the limit of which Aim is that much.
func LimitFor(aim int64) int64 { return min((aim*100+99-keptFree)/(100-keptFree), aim+maxKeptFree) }

// Keep holds what the process takes, all of it, below a limit in bytes, until ctx ends:
// it takes pages of spilled arrays out of memory in time. Errors: *OverLimitError where
// that is not enough, then something must stop the work; that of Resident.
//
// It must have a goroutine of its own, whose thread ends with it: one that the system is asked to
// run before others, and that sleeps without Go's timers, which are late by a millisecond.
func (m *Memory) Keep(ctx context.Context, limit int64) error {
	runtime.LockOSThread()
	hurry()
	for ctx.Err() == nil {
		now, err := m.lower(limit)
		if err != nil {
			return err
		}
		left := max(Aim(limit)-now, 0)
		sleep(min(max(time.Duration(float64(left)/growth*float64(time.Second)), leastWait), mostWait))
	}
	return nil
}

// lower drops pages if need be, and returns what the process takes then.
func (m *Memory) lower(limit int64) (int64, error) {
	now, err := Resident()
	if err != nil || now <= Aim(limit) {
		return now, err
	}
	for range rounds {
		m.Drop()
		if now, err = Resident(); err != nil || now <= limit {
			return now, err
		}
		debug.FreeOSMemory() // garbage, perhaps
	}
	return now, &OverLimitError{Resident: now, Limit: limit}
}
