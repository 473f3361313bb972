package term

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Mode is how progress shows.
type Mode int

// The modes.
const (
	// Silent shows nothing.
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
}

// Phase is a part of the task and how long it took.
type Phase struct {
	Name    string
	started time.Time
	Elapsed time.Duration
}

// StartProgress begins to report to w. Stop must be called.
func StartProgress(w io.Writer, mode Mode) *Progress {
	p := &Progress{start: time.Now(), stop: make(chan struct{})}
	p.current.Store(&step{phase: "starting"})
	switch mode {
	case Silent:
	case Lines:
		p.reports.Go(func() { p.writeLines(w) })
	case Bar:
		p.reports.Go(func() { p.drawBar(w) })
	}
	return p
}

// Update takes over the state of the task: the phase it is in, and how many of
// its bytes are done. It has the form of scan.Options.Progress.
func (p *Progress) Update(phase string, done, total int64) {
	if before := p.current.Swap(&step{phase: phase, done: done, total: total}); before.phase != phase {
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

// writeLines is the reporter of the mode Lines. A task that is done within the
// first interval writes nothing.
func (p *Progress) writeLines(w io.Writer) {
	ticker := time.NewTicker(lineInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			s := p.current.Load()
			// Nobody is helped by an error about progress.
			_, _ = fmt.Fprintf(w, "%s: %s\n", s.phase, p.status(s, true))
		}
	}
}

// status renders bytes, share where it is asked for, speed and the time that is left.
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
	bytesPerSecond := float64(s.done) / elapsed
	text += ", " + unit.Bytes(int64(bytesPerSecond)) + "/s"
	if left := float64(s.total-s.done) / bytesPerSecond; left >= 1 {
		text += ", " + unit.Duration(time.Duration(left)*time.Second) + " left"
	}
	return text
}
