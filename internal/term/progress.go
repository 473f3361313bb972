package term

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Mode is how progress shows.
type Mode int

// The modes.
const (
	// Silent shows nothing unless it is asked.
	Silent Mode = iota
	// Lines writes a plain line every ten seconds, for logs and pipes.
	Lines
	// Bar redraws one line of a terminal ten times a second.
	Bar
)

// How often each mode reports.
const (
	lineInterval = 10 * time.Second
	barInterval  = 100 * time.Millisecond
	// stillAfter is how long done may stand still before nobody can say how long the
	// rest takes.
	stillAfter = 3 * time.Second
)

// Progress shows how far one long task is. Update may be called from any
// goroutine; it only stores, one reporter of its own reads.
type Progress struct {
	current atomic.Pointer[step]
	start   time.Time
	stop    chan struct{}
	reports sync.WaitGroup

	mu     sync.Mutex
	phases []Phase
}

// step is one update.
type step struct {
	phase string
	// done and total are bytes of work over all phases.
	done, total int64
	// since is when the phase began, or done last grew; moves says that it has grown in
	// this phase.
	since time.Time
	moves bool
}

// Phase is a part of the task and how long it took.
type Phase struct {
	Name    string
	started time.Time
	Elapsed time.Duration
}

// StartProgress begins to report to w, and writes a line whenever asked gets a value; a
// bar has said it all and ignores that. asked may be nil. Stop must be called.
func StartProgress(w io.Writer, mode Mode, asked <-chan os.Signal) *Progress {
	p := &Progress{start: time.Now(), stop: make(chan struct{})}
	p.current.Store(&step{phase: "starting", since: p.start})
	if mode == Bar {
		p.reports.Go(func() { p.drawBar(w) })
	} else {
		p.reports.Go(func() { p.writeLines(w, mode, asked) })
	}
	return p
}

// Update takes over the state of the task: the phase it is in, and how many of
// its bytes are done. It has the form of scan.Options.Progress.
func (p *Progress) Update(phase string, done, total int64) {
	next := &step{phase: phase, done: done, total: total, since: time.Now()}
	if last := p.current.Load(); last.phase == phase {
		next.moves = last.moves || done > last.done
		if done <= last.done {
			next.since = last.since
		}
	}
	if before := p.current.Swap(next); before.phase != phase {
		p.enter(phase)
	}
}

// enter closes the running phase and opens the next.
func (p *Progress) enter(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.leave(now)
	p.phases = append(p.phases, Phase{Name: phase, started: now})
}

// leave sets the time that the last phase took. p.mu is held.
func (p *Progress) leave(now time.Time) {
	if last := len(p.phases) - 1; last >= 0 && p.phases[last].Elapsed == 0 {
		p.phases[last].Elapsed = now.Sub(p.phases[last].started)
	}
}

// Stop ends reporting, clears the bar and returns the phases in their order. No
// Update may follow.
func (p *Progress) Stop() []Phase {
	close(p.stop)
	p.reports.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(time.Now())
	return p.phases
}

// writeLines is the reporter where there is no bar. In the mode Lines a task that is
// done within the first interval writes nothing.
func (p *Progress) writeLines(w io.Writer, mode Mode, asked <-chan os.Signal) {
	var due <-chan time.Time
	if mode == Lines {
		ticker := time.NewTicker(lineInterval)
		defer ticker.Stop()
		due = ticker.C
	}
	for {
		select {
		case <-p.stop:
			return
		case <-due:
		case <-asked:
		}
		s := p.current.Load()
		// Nobody is helped by an error about progress.
		_, _ = fmt.Fprintf(w, "%s: %s\n", s.phase, p.status(s, true))
	}
}

// status renders bytes, share where it is asked for, speed and the time that is left;
// for a phase that does not move, as some know no bytes, how long it has been at work.
func (p *Progress) status(s *step, share bool) string {
	text := unit.Bytes(s.done)
	if s.total > 0 {
		text += " of " + unit.Bytes(s.total)
	}
	if share && s.total > 0 {
		text += " (" + unit.Share(s.done, s.total) + ")"
	}
	elapsed := time.Since(p.start).Seconds()
	if elapsed <= 0 || s.done <= 0 {
		return text
	}
	if still := time.Since(s.since); !s.moves && still < time.Second {
		return text
	} else if !s.moves || still >= stillAfter {
		return text + ", " + unit.Duration(still.Truncate(time.Second)) + " in this step"
	}
	bytesPerSecond := float64(s.done) / elapsed
	text += ", " + unit.Bytes(int64(bytesPerSecond)) + "/s"
	if left := float64(s.total-s.done) / bytesPerSecond; left >= 1 {
		text += ", " + unit.Duration(time.Duration(left)*time.Second) + " left"
	}
	return text
}
